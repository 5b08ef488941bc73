"""Programs that ask as other people's clients do, each run by a Python that has that client; they print JSON."""
