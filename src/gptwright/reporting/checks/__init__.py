"""Findings on a run, each with its evidence and an advice."""
