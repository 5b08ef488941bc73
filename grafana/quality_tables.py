"""The tables of *Model quality*: confusion, by class, and by version."""

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.dashboard import FieldColor
from grafana_foundation_sdk.models.common import TableColoredBackgroundCellOptions
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue, FieldColorModeId

from grafana.measures import ACCURACIES, BY_CLASS, COVERAGE, LABELS, measure_columns
from grafana.panels import ROLE, SHARE, WHOLE, DashboardPanel, TableColumn, columns, newest_first, rows
from grafana.queries import MODEL, in_service


def confusion() -> tuple[DashboardPanel, ...]:
    """Return the confusion matrices of champion and challenger."""
    return _confusion("champion", "champion"), _confusion("shadow", "challenger")


def by_class_and_version() -> tuple[DashboardPanel, ...]:
    """Return the tables with one row for each class and version in service, and one row for each version."""
    return _classes(), _versions()


def _confusion(role: str, name: str) -> DashboardPanel:
    pairs, labels = "sum by (true_class, predicted_class)", 'live_labels{problem="$problem"'
    found = in_service(f'{labels}, role="{role}"}}')
    # Classes without labels of this role get zeros, so that the matrix always has all classes.
    cells = f"{pairs} ({found}) or 0 * {pairs} ({labels}}})"
    return _matrix(rows(f"Confusion of the {name}", "none", cells).no_value("no predictions yet").decimals(0))


def _matrix(panel: table.Panel) -> table.Panel:
    # Rows and columns need the same order of classes, so that the right answers are on the diagonal.
    for name in ("predicted_class", "true_class"):
        panel = panel.with_transformation(DataTransformerConfig("sortBy", options={"sort": [{"field": name}]}))
    pivot = {"rowField": "true_class", "columnField": "predicted_class", "valueField": "Value"}
    corner = [
        DynamicConfigValue("displayName", "truth ↓  answer →"),
        DynamicConfigValue("custom.cellOptions", {"type": "auto"}),
    ]
    panel = panel.with_transformation(DataTransformerConfig("groupingToMatrix", options=pivot))
    panel = panel.color_scheme(FieldColor().mode(FieldColorModeId.CONTINUOUS_BLUES))
    panel = panel.cell_options(TableColoredBackgroundCellOptions())
    return panel.override_by_name("true_class\\predicted_class", corner)


def _classes() -> DashboardPanel:
    labels = in_service('(true_pos{problem="$problem"} + false_neg{problem="$problem"})')
    shares = (in_service(f'live_{name}_ratio{{problem="$problem"}}') for name in BY_CLASS)
    exprs = (f"max by (class_name, model_version, role) ({expr})" for expr in (labels, *shares))
    return columns(
        rows("By class", SHARE, *exprs),
        TableColumn("class_name", "class"),
        ROLE,
        TableColumn("model_version", "version"),
        TableColumn("Value #A", "labels", WHOLE),
        *measure_columns(BY_CLASS, "BCDE"),
    )


def _versions() -> DashboardPanel:
    means = (f'avg by ({MODEL}) (live_{name}_ratio{{problem="$problem"}})' for name in BY_CLASS)
    sums = (LABELS, f"max by ({MODEL}) ({COVERAGE})", f"max by ({MODEL}) ({ACCURACIES})")
    return newest_first(
        columns(
            rows("By version", SHARE, *sums, *means),
            TableColumn("model_name", "model"),
            TableColumn("model_version", "version"),
            ROLE,
            TableColumn("Value #A", "labels", WHOLE),
            TableColumn("Value #B", "coverage"),
            TableColumn("Value #C", "Accuracy"),
            *measure_columns(BY_CLASS, "DEFG"),
        )
    )
