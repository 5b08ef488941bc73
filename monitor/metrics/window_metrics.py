"""Metrics of the newest windows, of alerts and of the external log."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily

from common.store import Store
from monitor.follow_registry import References
from monitor.metrics.metric_families import by_problem, filled, gauge
from monitor.statistics.breaches import ALL_KINDS, RUN_FAILED, mean_tolerance
from monitor.statistics.drift import Verdict
from monitor.statistics.reference import NumberReference
from monitor.statistics.window import Evaluation, Subject

if TYPE_CHECKING:
    from monitor.statistics.performance import Measured

KINDS = (*sorted(ALL_KINDS), RUN_FAILED)
VERDICTS: Mapping[Verdict | None, float] = {"drift": 1.0, "no drift": 0.0}

Windows = Mapping[str, Evaluation]


def window_metrics(store: Store, references: References, models: Mapping[str, str]) -> Iterator[Metric]:
    """Return what the newest window of each problem says; `models` are the names of their models."""
    newest = {problem: window for problem in models if (window := store.windows.newest(problem))}
    windows = {problem: Evaluation.model_validate(window.evaluation) for problem, window in newest.items()}
    yield from _rows(windows)
    yield from _subjects(windows)
    yield from _performance(windows)
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
    """Return which alerts are open, how many have begun, and what waits for the external log."""
    yield gauge(
        "monitor_alert_open",
        "1 for what is out of bounds, or fails, at this moment.",
        ("problem", "kind", "subject"),
        (((each.problem, each.kind, each.subject), 1.0) for each in store.alerts.open()),
    )
    # Zeros too: what comes into being with its first episode has not increased.
    episodes = {("", RUN_FAILED): 0, **dict.fromkeys(product(problems, KINDS), 0), **store.alerts.counts()}
    yield filled(
        CounterMetricFamily("monitor_alerts", "Episodes of alerts that have begun.", labels=("problem", "kind")),
        episodes.items(),
    )
    waiting = dict.fromkeys(problems, 0) | store.exports.waiting()
    yield by_problem("external_log_unexported_rows", "Logged rows that the external log does not have yet.", waiting)


def _rows(windows: Windows) -> Iterator[Metric]:
    metrics: Mapping[str, tuple[str, Callable[[Evaluation], float | None]]] = {
        "window_predictions": ("Newest predictions, evaluated together.", lambda window: window.rows),
        "window_outliers": ("Outliers among them.", lambda window: window.outliers),
        "window_outliers_ratio": ("Share of outliers among them.", lambda window: window.outlier_ratio),
        "window_confidence_mean_ratio": (
            "Mean probability of the answered class.",
            lambda window: window.confidence_mean,
        ),
    }
    for name, (documentation, value) in metrics.items():
        yield by_problem(name, documentation, {problem: value(window) for problem, window in windows.items()})
    shares = ((problem, *share) for problem, window in windows.items() for share in window.class_shares.items())
    yield gauge(
        "window_class_ratio",
        "Share of an answered class among them.",
        ("problem", "class_name"),
        (((problem, name), share) for problem, name, share in shares),
    )


def _subjects(windows: Windows) -> Iterator[Metric]:
    features = _labelled({problem: window.features for problem, window in windows.items()})
    for name, documentation, value in (
        ("window_feature_mean", "Mean of a feature among them, without outliers.", lambda feature: feature.mean),
        ("window_feature_mean_tolerance", "How far it may be from that of the training rows.", mean_tolerance),
        ("window_feature_psi", "Population stability index of a feature.", _psi),
    ):
        yield gauge(
            name, documentation, ("problem", "feature"), ((labels, value(feature)) for labels, feature in features)
        )
    subjects = _labelled({problem: window.subjects for problem, window in windows.items()})
    yield gauge(
        "window_drift_verdict",
        "1 for drift, 0 for none; absent where there is not enough data.",
        ("problem", "subject"),
        ((labels, VERDICTS.get(subject.verdict)) for labels, subject in subjects),
    )


def _psi(subject: Subject) -> float | None:
    return subject.statistics.get("psi")


def _performance(windows: Windows) -> Iterator[Metric]:
    found = [
        ((problem, each.span, each.measure, each.class_name), each)
        for problem, window in windows.items()
        for each in window.performance
    ]
    metrics: Mapping[str, tuple[str, Callable[[Measured], float | None]]] = {
        "performance_labels": ("Answers whose truth is known, of the window or a day.", lambda each: each.labels),
        "performance_ratio": ("Accuracy, or recall of a class; absent where labels are few.", lambda each: each.value),
        "performance_high_ratio": ("The upper end of its interval.", lambda each: each.high),
        "performance_tested_ratio": ("The same on the test rows.", lambda each: each.tested),
        "performance_tested_low_ratio": ("The lower end of that one's interval.", lambda each: each.tested_low),
    }
    for name, (documentation, value) in metrics.items():
        samples = ((labels, value(each)) for labels, each in found)
        yield gauge(name, documentation, ("problem", "span", "measure", "class_name"), samples)


def _labelled(found: Mapping[str, Mapping[str, Subject]]) -> list[tuple[tuple[str, str], Subject]]:
    return [((problem, name), subject) for problem, subjects in found.items() for name, subject in subjects.items()]
