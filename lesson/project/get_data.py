"""Write data/data.csv: Fisher's iris flowers from scikit-learn, with a few rows as untidy as raw data are."""

import csv
from pathlib import Path

from sklearn.datasets import load_iris

HEADER = ("sepal_length", "sepal_width", "petal_length", "petal_width", "class_name")
# Before which row of the flowers each untidy row stands.
UNTIDY = (
    (13, ("5.0", "", "1.6", "0.2", "setosa")),
    (48, ("5.3", "3.7", "1.5", "unknown", "setosa")),
    (77, ("6.7", "3.0", "5.0", "1.7", "")),
    (90, ("5.5", "2.6", "4.4", "1.2", "versicolor")),  # the flower behind it, once more
    (131, ("7.9", "n/a", "6.4", "2.0", "virginica")),
)


def main() -> None:
    """Write the file; it is the same each time."""
    flowers = load_iris()
    rows: list[tuple[str, ...]] = [
        (*map(str, values), str(flowers.target_names[index]))
        for values, index in zip(flowers.data.tolist(), flowers.target.tolist(), strict=True)
    ]
    for place, row in reversed(UNTIDY):
        rows.insert(place, row)
    path = Path("data") / "data.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])
    print(f"{path}: {len(rows)} rows")


if __name__ == "__main__":
    main()
