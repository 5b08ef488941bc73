"""The smallest services of each peer's kind. Each runs in its peer's environment, and imports nothing else of ours."""
