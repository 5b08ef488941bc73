"""Task 1: split data/data.csv into data/train.csv and data/test.csv, and number the classes in data/classes.json."""

import sys

# 1. Read data/data.csv.
# 2. Drop the rows that nobody can learn from: a measurement is missing or no number, the class name is missing, or
#    the same row stands further up.
# 3. Give each class name a number, and write the list of names to data/classes.json.
# 4. Set a fifth of the rows apart to test on: the same rows each time, and the same share of each class.
# 5. Write data/train.csv and data/test.csv: the four measurements, then the class.
# 6. Print how many rows you have dropped, and how many there are in each file.

if __name__ == "__main__":
    sys.exit("preprocess.py is not written yet: see task 1 in tasks.md")
