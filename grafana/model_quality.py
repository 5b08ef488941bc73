"""The dashboard *Model quality*: how often champion and challenger are right over time, beside the alerts.

The monitor's page has the same as it is now, by class and with intervals; the dashboard links to it.
"""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.frame import Section, frame
from grafana.limits import ACCURACY, DRIFT, FEATURE_MEAN, WINDOW_ROWS
from grafana.measures import ACCURACIES, BY_CLASS, COVERAGE, VERSION
from grafana.panels import BAD, GOOD, SHARE, WATCH, DashboardPanel, at_least, at_most, colored, lines
from grafana.queries import MODEL, in_service, or_zero, per_second

PAGES = {
    "Monitor: by class, confusion": "/tab/classes",
    "Monitor: champion and challenger": "/tab/comparison",
    "Monitor: drift": "/tab/drift",
}


def dashboard() -> Dashboard:
    """Return the dashboard."""
    sections = (
        Section("Over time", _over_time()),
        Section("The newest rows", _newest_rows(), widths=(6,)),
        Section("Challenger", _challenger(), widths=(24,), height=7),
    )
    about = "How often are champion and challenger right, by the ground truth so far, and do the rows change?"
    return frame("lab-model-quality", "Model quality", about, sections, PAGES)


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
