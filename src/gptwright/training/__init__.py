"""The inner loop and what it needs: optimiser, schedules, data order, checkpoints. No Trainer: stages own time."""
