"""The judge: is a version better than another one? Pure functions; the package imports `problem` only.

Open `gate.py` first: it judges a candidate before it serves. `betting.py` judges versions that answer live rows.
"""
