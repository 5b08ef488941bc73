"""Metrics of the newest windows, of alerts and of the external log."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from operator import attrgetter
from typing import Any

from prometheus_client import Metric

from common.store import Store
from monitor.follow_registry import References
from monitor.metrics.metric_families import by_problem, counter, gauge
from monitor.statistics.breaches import ALL_KINDS, DISK_KINDS, REVIEW_KINDS, RUN_FAILED, mean_tolerance
from monitor.statistics.drift import Verdict
from monitor.statistics.reference import NumberReference
from monitor.statistics.window import Evaluation

KINDS = (*sorted(ALL_KINDS | REVIEW_KINDS), RUN_FAILED)
OF_NO_PROBLEM = dict.fromkeys([("", RUN_FAILED), *(("", kind) for kind in sorted(DISK_KINDS))], 0)
VERDICTS: Mapping[Verdict | None, float] = {"drift": 1.0, "no drift": 0.0}

# The help text and the value of each gauge, by its name.
Gauges = Mapping[str, tuple[str, Callable[[Any], float | None]]]
OF_WINDOW: Gauges = {
    "window_predictions": ("Predictions in the newest window.", attrgetter("rows")),
    "window_outliers": ("Outliers in the newest window.", attrgetter("outliers")),
    "window_outliers_ratio": ("Share of outliers in the newest window.", attrgetter("outlier_ratio")),
    "window_confidence_mean_ratio": (
        "Mean probability of the predicted class in the newest window.",
        attrgetter("confidence_mean"),
    ),
}
OF_CLASS: Gauges = {"window_class_ratio": ("Share of a predicted class in the newest window.", float)}
OF_FEATURE: Gauges = {
    "window_feature_mean": ("Mean of a feature in the newest window, without outliers.", attrgetter("mean")),
    "window_feature_mean_tolerance": ("Allowed distance of that mean from the training mean.", mean_tolerance),
    "window_feature_psi": (
        "Population stability index of a feature.",
        lambda feature: feature.statistics.get("psi"),
    ),
}
OF_SUBJECT: Gauges = {
    "window_drift_verdict": (
        "1 for drift, 0 for none; absent without enough data.",
        lambda subject: VERDICTS.get(subject.verdict),
    )
}
OF_PERFORMANCE: Gauges = {
    "performance_labels": ("Predictions with ground truth, in the window or on a day.", attrgetter("labels")),
    "performance_ratio": ("Accuracy, or recall of a class; absent with few labels.", attrgetter("value")),
    "performance_high_ratio": ("Upper end of its interval.", attrgetter("high")),
    "performance_tested_ratio": ("The version's value on the test rows.", attrgetter("tested")),
    "performance_tested_low_ratio": ("Lower end of the interval of that value.", attrgetter("tested_low")),
}


def window_metrics(store: Store, references: References, models: Mapping[str, str]) -> Iterator[Metric]:
    """Return the metrics of the newest window of each problem; `models` are model names by problem."""
    newest = {problem: window for problem in models if (window := store.windows.newest(problem))}
    windows = {problem: Evaluation.model_validate(window.evaluation) for problem, window in newest.items()}
    yield from _gauges(OF_WINDOW, ("problem",), {(problem,): window for problem, window in windows.items()})
    yield from _gauges(OF_CLASS, ("problem", "class_name"), _by_name(windows, "class_shares"))
    yield from _gauges(OF_FEATURE, ("problem", "feature"), _by_name(windows, "features"))
    yield from _gauges(OF_SUBJECT, ("problem", "subject"), _by_name(windows, "subjects"))
    measured: dict[tuple[str, ...], Any] = {
        (problem, each.span, each.measure, each.class_name): each
        for problem, window in windows.items()
        for each in window.performance
    }
    yield from _gauges(OF_PERFORMANCE, ("problem", "span", "measure", "class_name"), measured)
    yield by_problem(
        "window_end_timestamp_seconds",
        "When the newest window ended.",
        {problem: window.ended_at.timestamp() for problem, window in newest.items()},
    )
    known = {problem: reference for problem, name in models.items() if (reference := references.of(name))}
    yield gauge(
        "training_feature_mean",
        "Mean of a feature in the training rows that are no outliers.",
        ("problem", "feature"),
        (
            ((problem, name), feature.usual[0] if feature.usual else feature.mean)
            for problem, reference in known.items()
            for name, feature in reference.features.items()
            if isinstance(feature, NumberReference)
        ),
    )


def alert_metrics(store: Store, problems: Iterable[str]) -> Iterator[Metric]:
    """Return the open alerts, the number of alerts so far, and the number of rows to export."""
    yield gauge(
        "monitor_alert_open",
        "1 for each open alert.",
        ("problem", "kind", "subject"),
        (((each.problem, each.kind, each.subject), 1.0) for each in store.alerts.open()),
    )
    # Zeros are exported, too: a series that begins with its first alert shows no increase.
    episodes = {**OF_NO_PROBLEM, **dict.fromkeys(product(problems, KINDS), 0), **store.alerts.counts()}
    yield counter("monitor_alerts", "Alerts that have begun.", ("problem", "kind"), episodes.items())
    waiting = dict.fromkeys(problems, 0) | store.exports.waiting()
    yield by_problem("external_log_unexported_rows", "Logged rows that the external log does not have yet.", waiting)


def _gauges(gauges: Gauges, labels: Sequence[str], found: Mapping[tuple[str, ...], Any]) -> Iterator[Metric]:
    for name, (documentation, value) in gauges.items():
        yield gauge(name, documentation, labels, ((values, value(each)) for values, each in found.items()))


def _by_name(windows: Mapping[str, Evaluation], attribute: str) -> dict[tuple[str, ...], Any]:
    return {
        (problem, name): each
        for problem, window in windows.items()
        for name, each in getattr(window, attribute).items()
    }
