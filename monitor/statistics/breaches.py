"""Limits that a window must keep, and a message for each breach. The monitor opens an alert for each breach."""

import math

from common.evaluate import wilson
from common.store.monitoring.alerts import Breach
from monitor.statistics.digits import limit_text, number_text, percentage_text
from monitor.statistics.performance import Measured
from monitor.statistics.window import Evaluation, Subject

# The kinds of alerts: about a window, about a job of the monitor, the queue of the review, and the disk.
FEATURE_MEAN, OUTLIERS, DRIFT, ACCURACY, RECALL = "feature_mean", "outliers", "drift", "accuracy", "recall"
ALL_KINDS = frozenset({FEATURE_MEAN, OUTLIERS, DRIFT, ACCURACY, RECALL})
RUN_FAILED = "run_failed"
REVIEWS_WAITING, MANY_QUARANTINED = "reviews_waiting", "many_quarantined"
DISK_FULL, DISK_FILLING = "disk_full", "disk_filling"
DISK_KINDS = frozenset({DISK_FULL, DISK_FILLING})
REVIEW_KINDS = frozenset({REVIEWS_WAITING, MANY_QUARANTINED})
MEAN_TOLERANCE = 0.05  # a share of the training mean
OUTLIER_LIMIT = 0.2
# The least tolerance, in standard errors of the difference of the two means. A day has about 300 windows of five
# minutes that share no row. With four features and three standard errors, three of these would raise an alert by
# chance; with four standard errors, one window in two weeks does.
STANDARD_ERRORS = 4.0
LONGEST_NAME = 240


def breaches(evaluation: Evaluation) -> dict[Breach, str]:
    """Return a message for each breach, by kind and subject; a window without rows has none."""
    found: dict[Breach, str | None] = {(OUTLIERS, ""): _outliers(evaluation)}
    found |= {(FEATURE_MEAN, name): _mean(name, subject) for name, subject in evaluation.features.items()}
    found |= {(DRIFT, name): _drift(name, subject) for name, subject in evaluation.subjects.items()}
    found |= {_subject(each): _dropped(each) for each in evaluation.performance}
    return {breach: message for breach, message in found.items() if message}


def looked_for(evaluation: Evaluation) -> frozenset[str]:
    """Return the kinds that `breaches` can find in this window: without a reference, only outliers."""
    compared = any(subject.reference_rows is not None for subject in evaluation.subjects.values())
    return ALL_KINDS if compared else frozenset({OUTLIERS})


def mean_tolerance(subject: Subject) -> float | None:
    """Return the allowed distance of a feature's mean from the training mean; None if either mean is unknown."""
    mean, learnt, std = subject.mean, subject.reference_mean, subject.reference_std
    if mean is None or learnt is None or std is None:
        return None
    error = std * math.sqrt(1 / subject.mean_rows + 1 / (subject.reference_rows or 1))
    return max(MEAN_TOLERANCE * abs(learnt), STANDARD_ERRORS * error)


def _subject(each: Measured) -> Breach:
    # A class name can be as long as the longest subject in the store.
    return (RECALL, f"{each.class_name[:LONGEST_NAME]}, {each.span}") if each.class_name else (ACCURACY, each.span)


def _dropped(each: Measured) -> str | None:
    if each.verdict != "dropped":
        return None
    measure = f"recall of {each.class_name}" if each.class_name else "accuracy"
    period = f"on {each.day} (UTC)" if each.day else "in the window"
    now = f"{_percent(each.value)} (at most {_percent(each.high)}) of {each.labels} predictions with ground truth"
    then = f"{_percent(each.tested)} (at least {_percent(each.tested_low)})"
    return f"{measure} {period}: {now}; on the test rows: {then}"


def _percent(share: float | None) -> str:
    return percentage_text(share) if share is not None else ""


def _outliers(evaluation: Evaluation) -> str | None:
    ratio, share = evaluation.outlier_ratio, wilson(evaluation.outliers, evaluation.told_outlier)
    # The lower end of Wilson's interval: slightly more than a fifth can be chance.
    if ratio is None or share is None or share.low <= OUTLIER_LIMIT:
        return None
    return (
        f"{percentage_text(ratio)} of {evaluation.told_outlier} rows are outliers, which are unlike the training rows; "
        f"up to {limit_text(OUTLIER_LIMIT)} is allowed"
    )


def _mean(name: str, subject: Subject) -> str | None:
    mean, learnt, tolerance = subject.mean, subject.reference_mean, mean_tolerance(subject)
    if mean is None or learnt is None or tolerance is None or (distance := abs(mean - learnt)) <= tolerance:
        return None
    # A mean of zero has no percentages.
    apart = percentage_text(distance / abs(learnt)) if learnt else number_text(distance)
    where = f"{apart} {'above' if mean > learnt else 'below'} the training mean {number_text(learnt)}"
    # The tolerance is more than a share of the mean if the mean is near zero or the rows are few.
    is_share = tolerance <= MEAN_TOLERANCE * abs(learnt)
    allowed = limit_text(MEAN_TOLERANCE) if is_share else number_text(tolerance)
    return f"mean of {name} {number_text(mean)} in {subject.mean_rows} predictions, {where}; up to {allowed} is allowed"


def _drift(name: str, subject: Subject) -> str | None:
    if subject.verdict != "drift":
        return None
    numbers = ", ".join(f"{key} {number_text(value)}" for key, value in subject.statistics.items())
    p_value = "" if subject.p_value is None else f", p = {number_text(subject.p_value)}"
    return f"{name} has drifted from the reference: {numbers}{p_value}, {subject.rows} predictions"
