"""The measures of quality, and the PromQL of the live ones."""

from collections.abc import Sequence

from grafana.panels import TableColumn

BY_CLASS = ("precision", "recall", "specificity", "f1")
ON_TEST_DATA = ("f1", "precision", "recall", "accuracy")

VERSION = "{{role}}, version {{model_version}}"
ACCURACIES = 'live_overall_accuracy_ratio{problem="$problem"}'
COVERAGE = 'live_label_coverage_ratio{problem="$problem"}'


def measure_columns(names: Sequence[str], letters: str) -> list[TableColumn]:
    """Return a column for each measure, from the queries with these letters."""
    return [TableColumn(f"Value #{letter}", name.capitalize()) for letter, name in zip(letters, names, strict=True)]
