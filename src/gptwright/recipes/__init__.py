"""Chains of stages: read from TOML, planned to fit a time, carried out in order."""
