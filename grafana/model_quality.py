"""The dashboard *Model quality*: how often champion and challenger are right, by the ground truth so far."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.frame import Section, frame
from grafana.limits import ACCURACY, DRIFT, FEATURE_MEAN, WINDOW_ROWS
from grafana.measures import ACCURACIES, BY_CLASS, COVERAGE, LABELS, VERSION
from grafana.panels import BAD, GOOD, SHARE, WATCH, DashboardPanel, at_least, at_most, colored, lines, number
from grafana.quality_tables import by_class_and_version, confusion
from grafana.queries import MODEL, by_version, in_service, or_zero, per_second


def dashboard() -> Dashboard:
    """Return the dashboard."""
    sections = (
        Section("In service now: champion and challenger", _now(), widths=(6,), height=5),
        Section("Confusion", confusion(), widths=(12,)),
        Section("By class and by version", by_class_and_version(), widths=(12,), height=10),
        Section("Over time", _over_time()),
        Section("The newest rows", _newest_rows(), widths=(6,)),
        Section("Challenger", _challenger(), widths=(24,), height=7),
    )
    about = "How often are champion and challenger right, by the ground truth so far?"
    return frame("lab-model-quality", "Model quality", about, sections)


def _now() -> tuple[DashboardPanel, ...]:
    """Return one panel a measure, for the versions that serve now."""
    return (
        number("Right answers", SHARE, {VERSION: in_service(ACCURACIES)}, at_least(ACCURACY)).no_value("no labels yet"),
        number(
            "Right answers on the test data",
            SHARE,
            {VERSION: by_version('model_test_accuracy_ratio{problem="$problem"}')},
        ),
        number("Labels", "suffix:labels", {VERSION: in_service(LABELS)}).no_value("no predictions yet"),
        number("Label coverage now", SHARE, {VERSION: in_service(COVERAGE)}).no_value("no predictions yet"),
    )


def _over_time() -> tuple[DashboardPanel, ...]:
    """Return one panel a measure, with lines for the versions in service at each time."""
    return (
        lines("Accuracy", SHARE, {VERSION: in_service(ACCURACIES)}, at_least(ACCURACY)),
        *(_measured(name) for name in BY_CLASS),
        lines("Label coverage", SHARE, {VERSION: in_service(COVERAGE)}),
    )


def _measured(name: str) -> DashboardPanel:
    mean = f'avg by ({MODEL}) (live_{name}_ratio{{problem="$problem"}})'
    return lines(name.capitalize(), SHARE, {VERSION: in_service(mean)})


def _newest_rows() -> tuple[DashboardPanel, ...]:
    """Return the panels of the monitor's newest window."""
    means, trained, tolerance = (
        f'{name}{{problem="$problem"}}'
        for name in ("window_feature_mean", "training_feature_mean", "window_feature_mean_tolerance")
    )
    return (
        lines(
            "Distance of feature means from training",
            "none",
            {"{{feature}}": f"max by (feature) (abs({means} - {trained}) / {tolerance})"},
            at_most(FEATURE_MEAN),
        )
        .no_value("not enough recent rows")
        .decimals(1),
        lines(
            "Drift by feature",
            "none",
            {"{{feature}}": 'max by (feature) (window_feature_psi{problem="$problem"})'},
            at_most(DRIFT),
        )
        .no_value("not enough recent rows")
        .decimals(2),
        lines(
            "Confidence", SHARE, {"mean confidence": 'max(window_confidence_mean_ratio{problem="$problem"})'}
        ).no_value("not enough recent rows"),
        lines(
            "Rows of the newest predictions",
            "suffix:rows",
            {"rows": 'max(window_predictions{problem="$problem"})'},
            at_least(WINDOW_ROWS),
        ).decimals(0),
    )


def _challenger() -> tuple[DashboardPanel, ...]:
    """Return the panel of the rows that the challenger answered, left out or failed on."""
    panel = lines(
        "Rows of the challenger",
        "suffix:rows/s",
        {
            "answered": or_zero(per_second("shadow_predictions_total")),
            "left out": or_zero(per_second("shadow_dropped_total")),
            "failed": or_zero(per_second("shadow_failures_total")),
        },
    )
    return (colored(panel, {"answered": GOOD, "left out": WATCH, "failed": BAD}),)
