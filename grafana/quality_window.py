"""The newest rows of *Model quality*: their differences from the training data, and the challenger's share."""

from grafana.limits import DRIFT, FEATURE_MEAN, WINDOW_ROWS
from grafana.panels import BAD, GOOD, WATCH, About, DashboardPanel, at_least, at_most, fixed, lines
from grafana.queries import PromQuery, or_zero, per_second


def newest_rows() -> tuple[DashboardPanel, ...]:
    """Return the panels of the monitor's newest window."""
    return _feature_means(), _drift(), _confidence(), _window()


def _feature_means() -> DashboardPanel:
    about = About(
        "Distance of feature means from training",
        "none",
        "The distance between the mean of each feature in the newest predictions (five minutes, without outliers) and "
        "its mean in the training data, divided by the tolerance. The tolerance is the larger one of 5 % of the "
        f"training mean and four standard errors. Up to {FEATURE_MEAN:g} is good. Above, a sensor or a unit has "
        "changed, or other rows come than before: see FeatureMeanOff in docs/operations.md. There is no line with "
        "fewer than 50 rows.",
        width=6,
        limits=at_most(FEATURE_MEAN),
        empty="not enough recent rows",
        decimals=1,
    )
    means, trained, tolerance = (
        f'{name}{{problem="$problem"}}'
        for name in ("window_feature_mean", "training_feature_mean", "window_feature_mean_tolerance")
    )
    return lines(about, PromQuery(f"max by (feature) (abs({means} - {trained}) / {tolerance})", "{{feature}}"))


def _drift() -> DashboardPanel:
    about = About(
        "Drift by feature",
        "none",
        "The population stability index, which compares the distribution of a feature in the newest predictions with "
        f"the training data. 0 means equal; up to {DRIFT} is good. Above, see Drift in docs/operations.md. There is no "
        f"line with fewer than {WINDOW_ROWS} rows.",
        width=6,
        limits=at_most(DRIFT),
        empty="not enough recent rows",
        decimals=2,
    )
    return lines(about, PromQuery('max by (feature) (window_feature_psi{problem="$problem"})', "{{feature}}"))


def _confidence() -> DashboardPanel:
    about = About(
        "Confidence",
        "percentunit",
        "The mean probability of the champion's answers in the newest predictions. Good is a value close to the "
        "accuracy. Far above it, the model is overconfident. A fall without a new version means that the rows are less "
        "like the training data: look at *Drift by feature*.",
        width=6,
        empty="not enough recent rows",
        decimals=1,
    )
    return lines(about, PromQuery('max(window_confidence_mean_ratio{problem="$problem"})', "mean confidence")).max(1)


def _window() -> DashboardPanel:
    about = About(
        "Rows of the newest predictions",
        "suffix:rows",
        "The number of predictions within five minutes, which the other panels of this row are computed from. "
        f"{WINDOW_ROWS} or more (dashed) is good. With fewer there is no drift, and with fewer than 50 no mean: the "
        "panels are empty and no alert comes.",
        width=6,
        limits=at_least(WINDOW_ROWS),
        decimals=0,
    )
    return lines(about, PromQuery('max(window_predictions{problem="$problem"})', "rows"))


def challenger_rows() -> DashboardPanel:
    """Return the panel of the rows that the challenger answered, left out or failed on."""
    about = About(
        "Rows of the challenger",
        "suffix:rows/s",
        "Rows per second that the challenger answered, that were left out because the challenger is too slow, and that "
        "the challenger failed on. Good is 0 failed and few left out. Do not promote a challenger that fails.",
        width=24,
        height=7,
    )
    series = (
        ("shadow_predictions_total", "answered", GOOD),
        ("shadow_dropped_total", "left out", WATCH),
        ("shadow_failures_total", "failed", BAD),
    )
    panel = lines(about, *(PromQuery(or_zero(per_second(metric)), name) for metric, name, _ in series))
    for _, name, color in series:
        panel = panel.override_by_name(name, [fixed(color)])
    return panel
