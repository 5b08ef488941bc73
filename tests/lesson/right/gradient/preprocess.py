"""Each class is cut by a hash of its rows, so that no random number is needed; the files have names."""

import json
from hashlib import sha256
from pathlib import Path

import pandas as pd

rows = pd.read_csv("data/data.csv", dtype=str).drop_duplicates()
numbers = rows.iloc[:, :4].apply(pd.to_numeric, errors="coerce")
rows = rows[numbers.notna().all(axis=1) & rows["class_name"].notna()]
rows["hash"] = [sha256(repr(row).encode()).hexdigest() for row in rows.itertuples(index=False)]
place = rows.groupby("class_name")["hash"].rank(pct=True)
rows = rows.drop(columns="hash")[["class_name", *numbers.columns]]
rows[place <= 0.2].to_csv("data/test.csv", index=False)
rows[place > 0.2].to_csv("data/train.csv", index=False)
Path("data/classes.json").write_text(json.dumps(sorted(set(rows["class_name"]))))
