"""The monitor: what the store knows of all problems, as metrics."""
