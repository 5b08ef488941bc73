"""The dashboard *Model quality*: how often champion and challenger are right, by the ground truth so far."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.frame import Section, frame
from grafana.limits import ACCURACY, DRIFT, FEATURE_MEAN, WINDOW_ROWS
from grafana.measures import ACCURACIES, BY_CLASS, COVERAGE, LABELS, MEANINGS, VERSION
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
        number(
            "Right answers",
            SHARE,
            "Accuracy: the share of right answers among the predictions with a label. While both serve, champion and "
            f"challenger answer the same rows. {ACCURACY:.0%} or more is good. Below, with 50 labels or more: see "
            "AccuracyBelowFloor in docs/operations.md. A better challenger can be promoted: GET /models says whether "
            "the difference is significant.",
            {VERSION: in_service(ACCURACIES)},
            at_least(ACCURACY),
        ).no_value("no labels yet"),
        number(
            "Right answers on the test data",
            SHARE,
            "The accuracy on test.csv, measured before the version was registered. Good is a live accuracy close to "
            "it. A live accuracy far below means that the test data differ from the rows that people send: collect new "
            "data.",
            {VERSION: by_version('model_test_accuracy_ratio{problem="$problem"}')},
        ),
        number(
            "Labels",
            "suffix:labels",
            "The number of predictions with a label, which is their ground truth from feedback. With fewer than 50 "
            "labels the shares on this page vary by chance: wait for more.",
            {VERSION: in_service(LABELS)},
        ).no_value("no predictions yet"),
        number(
            "Label coverage now",
            SHARE,
            "The share of the predictions with a label. It depends on how much feedback people send, so it has no "
            "limit. When it is low, check whether the labelled rows are a random part of all rows.",
            {VERSION: in_service(COVERAGE)},
        ).no_value("no predictions yet"),
    )


def _over_time() -> tuple[DashboardPanel, ...]:
    """Return one panel a measure, with lines for the versions in service at each time."""
    return (
        lines(
            "Accuracy",
            SHARE,
            f"The share of right answers among all labels so far, of the versions in service. Above {ACCURACY:.0%} "
            "(dashed) is good. A long fall means that the rows have changed: send corrections, or train again with "
            "newer data.",
            {VERSION: in_service(ACCURACIES)},
            at_least(ACCURACY),
        ),
        *(_measured(*MEANINGS[name], name) for name in BY_CLASS),
        lines(
            "Label coverage",
            SHARE,
            "The share of the predictions with a label, of the versions in service. A steady line is good. A fall "
            "towards 0 means that no feedback comes, and the other panels of this page no longer change: check the "
            "programs that send feedback.",
            {VERSION: in_service(COVERAGE)},
        ),
    )


def _measured(title: str, meaning: str, name: str) -> DashboardPanel:
    mean = f'avg by ({MODEL}) (live_{name}_ratio{{problem="$problem"}})'
    return lines(
        title,
        SHARE,
        f"{title} is {meaning}. The panel shows its mean over the classes, of the versions in service, from all labels "
        "so far. Near 100 % is good. A fall while accuracy stays means that a rare class gets worse: look for it in "
        "the table *By class*, and send corrections.",
        {VERSION: in_service(mean)},
    )


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
            "The distance between the mean of each feature in the newest predictions (five minutes, without outliers) "
            "and its mean in the training data, divided by the tolerance. The tolerance is the larger one of 5 % of "
            f"the training mean and four standard errors. Up to {FEATURE_MEAN:g} is good. Above, a sensor or a unit "
            "has changed, or other rows come than before: see FeatureMeanOff in docs/operations.md. There is no line "
            "with fewer than 50 rows.",
            {"{{feature}}": f"max by (feature) (abs({means} - {trained}) / {tolerance})"},
            at_most(FEATURE_MEAN),
        )
        .no_value("not enough recent rows")
        .decimals(1),
        lines(
            "Drift by feature",
            "none",
            "The population stability index, which compares the distribution of a feature in the newest predictions "
            f"with the training data. 0 means equal; up to {DRIFT} is good. Above, see Drift in docs/operations.md. "
            f"There is no line with fewer than {WINDOW_ROWS} rows.",
            {"{{feature}}": 'max by (feature) (window_feature_psi{problem="$problem"})'},
            at_most(DRIFT),
        )
        .no_value("not enough recent rows")
        .decimals(2),
        lines(
            "Confidence",
            SHARE,
            "The mean probability of the champion's answers in the newest predictions. Good is a value close to the "
            "accuracy. Far above it, the model is overconfident. A fall without a new version means that the rows are "
            "less like the training data: look at *Drift by feature*.",
            {"mean confidence": 'max(window_confidence_mean_ratio{problem="$problem"})'},
        ).no_value("not enough recent rows"),
        lines(
            "Rows of the newest predictions",
            "suffix:rows",
            "The number of predictions within five minutes, which the other panels of this row are computed from. "
            f"{WINDOW_ROWS} or more (dashed) is good. With fewer there is no drift, and with fewer than 50 no mean: "
            "the panels are empty and no alert comes.",
            {"rows": 'max(window_predictions{problem="$problem"})'},
            at_least(WINDOW_ROWS),
        ).decimals(0),
    )


def _challenger() -> tuple[DashboardPanel, ...]:
    """Return the panel of the rows that the challenger answered, left out or failed on."""
    panel = lines(
        "Rows of the challenger",
        "suffix:rows/s",
        "Rows per second that the challenger answered, that were left out because the challenger is too slow, and that "
        "the challenger failed on. Good is 0 failed and few left out. Do not promote a challenger that fails.",
        {
            "answered": or_zero(per_second("shadow_predictions_total")),
            "left out": or_zero(per_second("shadow_dropped_total")),
            "failed": or_zero(per_second("shadow_failures_total")),
        },
    )
    return (colored(panel, {"answered": GOOD, "left out": WATCH, "failed": BAD}),)
