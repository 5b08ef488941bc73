"""Withdrawals: what they do, and the version that is made without the corrections. Begin with `effects.py`."""
