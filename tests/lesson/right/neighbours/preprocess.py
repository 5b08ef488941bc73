"""Clean and split with the standard library alone; classes stand as names, in the order of their first rows."""

import csv
import json
import random
from collections import defaultdict
from pathlib import Path

random.seed(7)
with Path("data/data.csv").open(newline="") as source:
    header, *lines = csv.reader(source)
kept: dict[str, list[tuple[str, ...]]] = defaultdict(list)
for line in dict.fromkeys(map(tuple, lines)):
    try:
        numbers = [float(value) for value in line[:4]]
    except ValueError:
        continue
    if line[4] and all(number == number for number in numbers):
        kept[line[4]].append(line)
parts: dict[str, list[tuple[str, ...]]] = {"train": [], "test": []}
for rows in kept.values():
    random.shuffle(rows)
    cut = round(len(rows) / 4)
    parts["test"] += rows[:cut]
    parts["train"] += rows[cut:]
for name, rows in parts.items():
    with Path(f"data/{name}.csv").open("w", newline="") as target:
        csv.writer(target).writerows([header, *rows])
Path("data/classes.json").write_text(json.dumps(list(kept)))
