"""Modules that the Python of a part with a clock of its own loads when it starts."""
