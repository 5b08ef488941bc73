"""The measures of quality with their meanings, and the PromQL of the live ones."""

from collections.abc import Mapping, Sequence

from grafana.panels import TableColumn
from grafana.queries import MODEL

MEANINGS: Mapping[str, tuple[str, str]] = {
    "precision": ("Precision", "the share of right answers among the rows that got the class as their answer"),
    "recall": ("Recall", "the share of right answers among the rows that really have the class"),
    "specificity": ("Specificity", "the share of the rows of other classes that did not get the class as their answer"),
    "f1": ("F1", "the harmonic mean of precision and recall"),
    "accuracy": ("Accuracy", "the share of right answers among all rows"),
}
BY_CLASS = ("precision", "recall", "specificity", "f1")
ON_TEST_DATA = ("f1", "precision", "recall", "accuracy")

VERSION = "{{role}}, version {{model_version}}"
ACCURACIES = 'live_overall_accuracy_ratio{problem="$problem"}'
LABELS = f'sum by ({MODEL}) (live_labels{{problem="$problem"}})'
COVERAGE = 'live_label_coverage_ratio{problem="$problem"}'


def measure_columns(names: Sequence[str], letters: str) -> list[TableColumn]:
    """Return a column for each measure, from the queries with these letters."""
    return [TableColumn(f"Value #{letter}", MEANINGS[name][0]) for letter, name in zip(letters, names, strict=True)]
