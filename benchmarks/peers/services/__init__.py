"""The same model as a service of each peer. Each file runs in its peer's environment and imports nothing of the lab."""
