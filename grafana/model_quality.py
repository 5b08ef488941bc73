"""The dashboard *Model quality*: how right champion and challenger are, by the truth that people told."""

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.dashboard import FieldColor
from grafana_foundation_sdk.models.common import TableColoredBackgroundCellOptions
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
)

from grafana.frame import Section, frame
from grafana.limits import ACCURACY, DRIFT, FEATURE_MEAN, WINDOW_ROWS
from grafana.panels import (
    BAD,
    GOOD,
    ROLES,
    WATCH,
    WHOLE,
    About,
    Column,
    Panel,
    at_least,
    at_most,
    by_role,
    columns,
    fixed,
    lines,
    newest_first,
    number,
    role_names,
    rows,
)
from grafana.queries import MODEL, Query, by_version, in_service, or_zero, per_second

VERSION = "{{role}}, version {{model_version}}"
MEASURED = (
    ("precision", "Precision", "of the rows given a class, the share that belongs to it"),
    ("recall", "Recall", "of the rows of a class, the share that was given it"),
    ("specificity", "Specificity", "of the rows of all other classes, the share that was not given it"),
    ("f1", "F1", "the balance of precision and recall"),
)
ACCURACIES = 'live_overall_accuracy_ratio{problem="$problem"}'
LABELS = f'sum by ({MODEL}) (live_labels{{problem="$problem"}})'
COVERAGE = 'live_label_coverage_ratio{problem="$problem"}'
ROLE = Column("role", "role", (DynamicConfigValue("mappings", [ROLES]),))


def dashboard() -> Dashboard:
    """Return it."""
    sections = (
        Section(
            "In service now: champion beside challenger", (_accuracy_now(), _tested(), _labels_now(), _coverage_now())
        ),
        Section("Confusion", (_confusion("champion"), _confusion("shadow"))),
        Section("By class and by version", (_classes(), _versions())),
        Section("Over time", (_accuracy(), *(_measured(*each) for each in MEASURED), _coverage())),
        Section("What comes in", (_feature_means(), _drift(), _confidence(), _window())),
        Section("Challenger", (_shadow(),)),
    )
    return frame(
        "lab-model-quality",
        "Model quality",
        "How right are champion and challenger, by the truth told later?",
        sections,
    )


def _accuracy_now() -> Panel:
    about = About(
        "Right answers",
        "percentunit",
        "Accuracy: share of right answers among the predictions whose truth is known. Champion and challenger are "
        f"judged on the same rows while both serve. Below {ACCURACY:.0%}, with 50 labels or more: see "
        "AccuracyBelowFloor in docs/operations.md. A better challenger can be promoted: GET /models says whether the "
        "difference is more than chance.",
        width=6,
        height=5,
        limits=at_least(ACCURACY),
        empty="no labels yet",
        decimals=1,
    )
    return role_names(number(about, Query(in_service(ACCURACIES), VERSION, now=True)))


def _tested() -> Panel:
    about = About(
        "Right answers on the test data",
        "percentunit",
        "Accuracy on test.csv before the version was registered. Live accuracy far below it: the test data are not "
        "like what people ask.",
        width=6,
        height=5,
        decimals=1,
    )
    return by_role(number(about, Query(by_version('model_test_accuracy_ratio{problem="$problem"}'), VERSION, now=True)))


def _labels_now() -> Panel:
    about = About(
        "Labels",
        "suffix:labels",
        "Predictions whose truth is known. With fewer than 50 all shares on this page jump about: wait before you "
        "judge.",
        width=6,
        height=5,
        empty="no predictions yet",
    )
    return by_role(number(about, Query(in_service(LABELS), VERSION, now=True)))


def _coverage_now() -> Panel:
    about = About(
        "Labelled",
        "percentunit",
        "Share of the predictions whose truth is known. No limit: it is as high as people tell it. When it is low, "
        "ask whether those rows are a fair choice of all.",
        width=6,
        height=5,
        empty="no predictions yet",
        decimals=1,
    )
    return by_role(number(about, Query(in_service(COVERAGE), VERSION, now=True)))


def _confusion(role: str) -> Panel:
    name = "challenger" if role == "shadow" else role
    about = About(
        f"Confusion of the {name}",
        "none",
        f"Labels by what was true (rows) and what the {name} answered (columns). Right answers are on the diagonal; a "
        "dark cell elsewhere is a pair of classes to send corrections for. All 0: no truth has been told, or none "
        "serves.",
        width=12,
        decimals=0,
        empty="no predictions yet",
    )
    return _matrix(rows(about, Query(_cells(role), now=True)), FieldColorModeId.CONTINUOUS_BLUES)


def _cells(role: str) -> str:
    pairs = "sum by (true_class, predicted_class)"
    found = f'{pairs} ({in_service(f"""live_labels{{problem="$problem", role="{role}"}}""")})'
    # Zeros for the same classes where that role has none.
    return f'{found} or 0 * {pairs} (live_labels{{problem="$problem"}})'


def _matrix(panel: table.Panel, colors: FieldColorModeId) -> table.Panel:
    # Classes in one order both ways, or the right answers are not on the diagonal.
    for name in ("predicted_class", "true_class"):
        panel = panel.with_transformation(DataTransformerConfig("sortBy", options={"sort": [{"field": name}]}))
    pivot = {"rowField": "true_class", "columnField": "predicted_class", "valueField": "Value"}
    corner = [
        DynamicConfigValue("displayName", "true ↓  answered →"),
        DynamicConfigValue("custom.cellOptions", {"type": "auto"}),
    ]
    panel = panel.with_transformation(DataTransformerConfig("groupingToMatrix", options=pivot))
    panel = panel.color_scheme(FieldColor().mode(colors)).cell_options(TableColoredBackgroundCellOptions())
    return panel.override_by_name("true_class\\predicted_class", corner)


def _classes() -> Panel:
    about = About(
        "By class",
        "percentunit",
        "The versions in service, class by class, each against all others. Precision low: the class is answered too "
        "readily. Recall low: it is overlooked. Empty cells have nothing to be computed from yet.",
        width=12,
        height=10,
        decimals=1,
    )
    labels = in_service('(true_pos{problem="$problem"} + false_neg{problem="$problem"})')
    shares = (in_service(f'live_{name}_ratio{{problem="$problem"}}') for name, _, _ in MEASURED)
    places = "class_name, model_version, role"
    queries = (Query(f"max by ({places}) ({expr})", now=True) for expr in (labels, *shares))
    shown = (
        Column("class_name", "class"),
        ROLE,
        Column("model_version", "version"),
        Column("Value #A", "labels", WHOLE),
        *(Column(f"Value #{letter}", title) for letter, (_, title, _) in zip("BCDE", MEASURED, strict=True)),
    )
    return columns(rows(about, *queries), shown)


def _versions() -> Panel:
    about = About(
        "By version",
        "percentunit",
        "All versions that have answered, also those that no longer serve; precision, recall and specificity are "
        "means over the classes. Versions that served at different times were judged on different rows: compare with "
        "care.",
        width=12,
        height=10,
        decimals=1,
    )
    means = (f'avg by ({MODEL}) (live_{name}_ratio{{problem="$problem"}})' for name, _, _ in MEASURED)
    sums = (LABELS, f"max by ({MODEL}) ({COVERAGE})", f"max by ({MODEL}) ({ACCURACIES})")
    shown = (
        Column("model_name", "model"),
        Column("model_version", "version"),
        ROLE,
        Column("Value #A", "labels", WHOLE),
        Column("Value #B", "coverage"),
        Column("Value #C", "Accuracy"),
        *(Column(f"Value #{letter}", title) for letter, (_, title, _) in zip("DEFG", MEASURED, strict=True)),
    )
    return newest_first(columns(rows(about, *(Query(expr, now=True) for expr in (*sums, *means))), shown))


def _accuracy() -> Panel:
    about = About(
        "Accuracy",
        "percentunit",
        f"Share of right answers among all labels so far of the versions in service. Should stay above {ACCURACY:.0%} "
        "(dashed); a long fall means that people ask other things than before: send corrections, or train again.",
        limits=at_least(ACCURACY),
        decimals=1,
    )
    return by_role(lines(about, Query(in_service(ACCURACIES), VERSION)).max(1))


def _measured(name: str, title: str, meaning: str) -> Panel:
    about = About(
        title,
        "percentunit",
        f"{title}: {meaning}; mean over the classes, of the versions in service, from all labels so far. Falls while "
        "accuracy stays: a rare class is getting worse; the table by class says which.",
        decimals=1,
    )
    mean = f'avg by ({MODEL}) (live_{name}_ratio{{problem="$problem"}})'
    return by_role(lines(about, Query(in_service(mean), VERSION)).max(1))


def _coverage() -> Panel:
    about = About(
        "Label coverage",
        "percentunit",
        "Share of the predictions whose truth is known, of the versions in service. A fall to nothing: whoever tells "
        "the truth has stopped, and everything else on this page stands still.",
        decimals=1,
    )
    return by_role(lines(about, Query(in_service(COVERAGE), VERSION)).max(1))


def _feature_means() -> Panel:
    about = About(
        "Feature means off training",
        "none",
        "How far the mean of each feature in the newest predictions (five minutes, without outliers) is from its mean "
        "in the training data, in parts of what may be: 5 % of that mean, or four standard errors if they are more. "
        f"Above {FEATURE_MEAN:g}: a sensor or a unit has changed, or people ask other things. See FeatureMeanOff in "
        "docs/operations.md. A mean of fewer than 50 rows is not shown.",
        width=6,
        limits=at_most(FEATURE_MEAN),
        empty="not enough recent rows",
        decimals=1,
    )
    means, trained, tolerance = (
        f'{name}{{problem="$problem"}}'
        for name in ("window_feature_mean", "training_feature_mean", "window_feature_mean_tolerance")
    )
    return lines(about, Query(f"max by (feature) (abs({means} - {trained}) / {tolerance})", "{{feature}}"))


def _drift() -> Panel:
    about = About(
        "Drift by feature",
        "none",
        "Population stability index: how differently the newest predictions are spread than the training data; 0 is "
        f"alike, above {DRIFT} is a change to look into: see Drift in docs/operations.md. With fewer than "
        f"{WINDOW_ROWS} rows there is not enough data, and no line.",
        width=6,
        limits=at_most(DRIFT),
        empty="not enough recent rows",
        decimals=2,
    )
    return lines(about, Query('max by (feature) (window_feature_psi{problem="$problem"})', "{{feature}}"))


def _confidence() -> Panel:
    about = About(
        "Confidence",
        "percentunit",
        "Mean probability that the champion gave to the class it answered, in the newest predictions. Far above its "
        "accuracy it is too sure of itself; a fall without a new version means rows that it knows less.",
        width=6,
        empty="not enough recent rows",
        decimals=1,
    )
    return lines(about, Query('max(window_confidence_mean_ratio{problem="$problem"})', "mean confidence")).max(1)


def _window() -> Panel:
    about = About(
        "Rows that this is said from",
        "suffix:rows",
        f"How many of the newest predictions these panels look at: those of five minutes. Below {WINDOW_ROWS} "
        "(dashed) there is not enough data for drift, below 50 for a mean: nothing is shown, and no alert comes.",
        width=6,
        limits=at_least(WINDOW_ROWS),
        decimals=0,
    )
    return lines(about, Query('max(window_predictions{problem="$problem"})', "rows"))


def _shadow() -> Panel:
    about = About(
        "Rows shown to the challenger",
        "suffix:rows/s",
        "Rows that the challenger answered in the champion's shadow, those left out because it is too slow, and "
        "those it failed on. The last should be 0: a challenger that fails is not fit to be champion.",
        width=24,
        height=7,
    )
    series = (
        ("shadow_predictions_total", "answered", GOOD),
        ("shadow_dropped_total", "left out", WATCH),
        ("shadow_failures_total", "failed", BAD),
    )
    panel = lines(about, *(Query(or_zero(per_second(metric)), name) for metric, name, _ in series))
    for _, name, color in series:
        panel = panel.override_by_name(name, [fixed(color)])
    return panel
