"""The tables of *Model quality*: confusion, by class, and by version."""

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.dashboard import FieldColor
from grafana_foundation_sdk.models.common import TableColoredBackgroundCellOptions
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue, FieldColorModeId

from grafana.measures import ACCURACIES, BY_CLASS, COVERAGE, LABELS, MEANINGS
from grafana.panels import ROLES, WHOLE, About, DashboardPanel, TableColumn, columns, newest_first, rows
from grafana.queries import MODEL, PromQuery, in_service

ROLE = TableColumn("role", "role", (DynamicConfigValue("mappings", [ROLES]),))


def confusion() -> tuple[DashboardPanel, ...]:
    """Return the confusion matrices of champion and challenger."""
    return _confusion("champion"), _confusion("shadow")


def by_class_and_version() -> tuple[DashboardPanel, ...]:
    """Return the tables with one row for each class and version in service, and one row for each version."""
    return _classes(), _versions()


def _confusion(role: str) -> DashboardPanel:
    name = "challenger" if role == "shadow" else role
    about = About(
        f"Confusion of the {name}",
        "none",
        f"Predictions by their ground truth (rows) and by the answer of the {name} (columns). Right answers are on the "
        "diagonal. A dark cell elsewhere shows two classes that the model confuses: send corrections for them. All 0: "
        f"no feedback has come, or no {name} serves.",
        width=12,
        decimals=0,
        empty="no predictions yet",
    )
    return _matrix(rows(about, PromQuery(_cells(role), now=True)), FieldColorModeId.CONTINUOUS_BLUES)


def _cells(role: str) -> str:
    pairs = "sum by (true_class, predicted_class)"
    found = f'{pairs} ({in_service(f"""live_labels{{problem="$problem", role="{role}"}}""")})'
    # Classes without labels of this role get zeros, so that the matrix always has all classes.
    return f'{found} or 0 * {pairs} (live_labels{{problem="$problem"}})'


def _matrix(panel: table.Panel, colors: FieldColorModeId) -> table.Panel:
    # Rows and columns need the same order of classes, so that the right answers are on the diagonal.
    for name in ("predicted_class", "true_class"):
        panel = panel.with_transformation(DataTransformerConfig("sortBy", options={"sort": [{"field": name}]}))
    pivot = {"rowField": "true_class", "columnField": "predicted_class", "valueField": "Value"}
    corner = [
        DynamicConfigValue("displayName", "truth ↓  answer →"),
        DynamicConfigValue("custom.cellOptions", {"type": "auto"}),
    ]
    panel = panel.with_transformation(DataTransformerConfig("groupingToMatrix", options=pivot))
    panel = panel.color_scheme(FieldColor().mode(colors)).cell_options(TableColoredBackgroundCellOptions())
    return panel.override_by_name("true_class\\predicted_class", corner)


def _classes() -> DashboardPanel:
    about = About(
        "By class",
        "percentunit",
        "The measures of the versions in service for each class against all others. Near 100 % is good. A low "
        "precision means that other classes get this answer; a low recall means that rows of this class get other "
        "answers. Send corrections for such classes. An empty cell has no labels to compute it from.",
        width=12,
        height=10,
        decimals=1,
    )
    labels = in_service('(true_pos{problem="$problem"} + false_neg{problem="$problem"})')
    shares = (in_service(f'live_{name}_ratio{{problem="$problem"}}') for name in BY_CLASS)
    places = "class_name, model_version, role"
    queries = (PromQuery(f"max by ({places}) ({expr})", now=True) for expr in (labels, *shares))
    shown = (
        TableColumn("class_name", "class"),
        ROLE,
        TableColumn("model_version", "version"),
        TableColumn("Value #A", "labels", WHOLE),
        *(TableColumn(f"Value #{letter}", MEANINGS[name][0]) for letter, name in zip("BCDE", BY_CLASS, strict=True)),
    )
    return columns(rows(about, *queries), shown)


def _versions() -> DashboardPanel:
    about = About(
        "By version",
        "percentunit",
        "The measures of all versions that have answered, also of versions that no longer serve. Precision, recall, "
        "specificity and F1 are means over the classes. Near 100 % is good. Versions that served at different times "
        "answered different rows, so compare them with care.",
        width=12,
        height=10,
        decimals=1,
    )
    means = (f'avg by ({MODEL}) (live_{name}_ratio{{problem="$problem"}})' for name in BY_CLASS)
    sums = (LABELS, f"max by ({MODEL}) ({COVERAGE})", f"max by ({MODEL}) ({ACCURACIES})")
    shown = (
        TableColumn("model_name", "model"),
        TableColumn("model_version", "version"),
        ROLE,
        TableColumn("Value #A", "labels", WHOLE),
        TableColumn("Value #B", "coverage"),
        TableColumn("Value #C", "Accuracy"),
        *(TableColumn(f"Value #{letter}", MEANINGS[name][0]) for letter, name in zip("DEFG", BY_CLASS, strict=True)),
    )
    return newest_first(columns(rows(about, *(PromQuery(expr, now=True) for expr in (*sums, *means))), shown))
