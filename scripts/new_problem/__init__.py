"""Writes the file of a new problem from a CSV file: `python -m scripts.new_problem FILE.csv --target COLUMN`.

`looking.py` says what each column is, `writing.py` makes the files of it. Open `looking.py` first.
"""
