"""Two stages: `clean` and `split`; without a word, both. The split takes every fifth row of a sorted class."""

import json
import sys
from pathlib import Path

import pandas as pd

DATA = Path("data")


def clean() -> None:
    rows = pd.read_csv(DATA / "data.csv")
    numbers = rows.columns[:4]
    rows[numbers] = rows[numbers].apply(pd.to_numeric, errors="coerce")
    rows.dropna().drop_duplicates().to_csv(DATA / "clean.csv", index=False)


def split() -> None:
    rows = pd.read_csv(DATA / "clean.csv")
    classes = sorted(rows["class_name"].unique(), reverse=True)
    (DATA / "classes.json").write_text(json.dumps(classes, indent=1))
    rows.insert(0, "target", rows.pop("class_name").map(classes.index))
    rows = rows.sample(frac=1.0, random_state=1).sort_values("target", kind="stable")
    tested = rows.groupby("target").cumcount() % 5 == 0
    rows[tested].to_csv(DATA / "test.csv")
    rows[~tested].to_csv(DATA / "train.csv")


for step in sys.argv[1:] or ["clean", "split"]:
    {"clean": clean, "split": split}[step]()
