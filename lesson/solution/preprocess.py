"""Split data/data.csv into data/train.csv and data/test.csv, and number the classes in data/classes.json."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

DATA = Path("data")
FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
TEST_SHARE = 0.2
SEED = 42


def usable(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with four numbers and a class name, each of them once."""
    rows = raw.copy()
    rows[FEATURES] = raw[FEATURES].apply(pd.to_numeric, errors="coerce").replace([np.inf, -np.inf], np.nan)
    return rows.dropna().drop_duplicates()


def main() -> None:
    """Write the three files; the same data.csv always gives the same files."""
    # Everything is read as text, so that a class may have a name that pandas takes for a missing value.
    raw = pd.read_csv(DATA / "data.csv", dtype=str, keep_default_na=False, na_values=[""])
    rows = usable(raw)
    classes = sorted(rows["class_name"].unique())
    rows["class"] = rows["class_name"].map(classes.index)
    train, test = train_test_split(rows, test_size=TEST_SHARE, random_state=SEED, stratify=rows["class"])
    for name, part in (("train.csv", train), ("test.csv", test)):
        part[[*FEATURES, "class"]].to_csv(DATA / name, index=False)
    (DATA / "classes.json").write_text(json.dumps(classes) + "\n", encoding="utf-8")
    print(f"{len(raw) - len(rows)} of {len(raw)} rows dropped; {len(train)} to learn from, {len(test)} to test on")


if __name__ == "__main__":
    main()
