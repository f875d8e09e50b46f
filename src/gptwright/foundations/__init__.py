"""The ground floor: errors, durable files, configuration, run folders, device, metrics. Imports nothing above."""
