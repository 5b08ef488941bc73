"""The page `/docs`: groups in the order of their use, operations in words, and examples. Begin with `describe.py`."""
