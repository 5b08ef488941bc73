"""Every claim about speed and memory, as a ratio measured in one run. `python -m benchmarks.run` runs them all."""
