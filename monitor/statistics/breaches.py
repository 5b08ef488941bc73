"""What is out of bounds in a window. Pure: an evaluation in, kinds, subjects and messages out."""

import math

from common.evaluate import wilson
from common.store.monitoring.alerts import Breach
from monitor.statistics.performance import Measured
from monitor.statistics.window import Evaluation, Subject

FEATURE_MEAN, OUTLIERS, DRIFT, ACCURACY, RECALL = "feature_mean", "outliers", "drift", "accuracy", "recall"
MEAN_TOLERANCE = 0.05  # of the training mean
OUTLIER_LIMIT = 0.2
# Of the distance of two means, each of a sample: the fewer their rows, the further apart they are by chance.
# Of windows of five minutes a day has some 300 that share no row. With four features and three standard errors, three
# of them would be told without any reason; with four standard errors it is one in two weeks.
STANDARD_ERRORS = 4.0
LONGEST_NAME = 240
ALL_KINDS = frozenset({FEATURE_MEAN, OUTLIERS, DRIFT, ACCURACY, RECALL})


def breaches(evaluation: Evaluation) -> dict[Breach, str]:
    """Return what is out of bounds, with a message for each; nothing without rows, which say nothing."""
    found: dict[Breach, str | None] = {(OUTLIERS, ""): _outliers(evaluation)}
    found |= {(FEATURE_MEAN, name): _mean(name, subject) for name, subject in evaluation.features.items()}
    found |= {(DRIFT, name): _drift(name, subject) for name, subject in evaluation.subjects.items()}
    found |= {_place(each): _dropped(each) for each in evaluation.performance}
    return {breach: message for breach, message in found.items() if message}


def looked_for(evaluation: Evaluation) -> frozenset[str]:
    """Return the kinds of which `breaches` can tell whether they are there: without a reference only outliers."""
    compared = any(subject.reference_rows is not None for subject in evaluation.subjects.values())
    return ALL_KINDS if compared else frozenset({OUTLIERS})


def mean_tolerance(subject: Subject) -> float | None:
    """Return how far the mean of a feature may be from that of the training rows; None where nobody can say."""
    mean, learnt, std = subject.mean, subject.reference_mean, subject.reference_std
    if mean is None or learnt is None or std is None:
        return None
    error = std * math.sqrt(1 / subject.mean_rows + 1 / (subject.reference_rows or 1))
    return max(MEAN_TOLERANCE * abs(learnt), STANDARD_ERRORS * error)


def _place(each: Measured) -> Breach:
    # A class may have as long a name as the store takes for a subject.
    return (RECALL, f"{each.class_name[:LONGEST_NAME]}, {each.span}") if each.class_name else (ACCURACY, each.span)


def _dropped(each: Measured) -> str | None:
    if each.verdict != "dropped":
        return None
    what = f"the recall of {each.class_name}" if each.class_name else "the accuracy"
    when = f"of {each.day} (UTC)" if each.day else "of the window"
    now = f"{_percent(each.value)} of {each.labels} answers {when} whose truth is known, {_percent(each.high)} at most"
    return f"{what} was {now}; on the test rows it was {_percent(each.tested)}, {_percent(each.tested_low)} at least"


def _percent(share: float | None) -> str:
    return f"{share:.1%}" if share is not None else ""


def _outliers(evaluation: Evaluation) -> str | None:
    ratio, share = evaluation.outlier_ratio, wilson(evaluation.outliers, evaluation.told_outlier)
    # Wilson's lower end: a little more than a fifth may be chance.
    if ratio is None or share is None or share.low <= OUTLIER_LIMIT:
        return None
    return (
        f"{ratio:.1%} of {evaluation.told_outlier} predictions were for rows unlike the training data; "
        f"{OUTLIER_LIMIT:.0%} may be"
    )


def _mean(name: str, subject: Subject) -> str | None:
    mean, learnt, tolerance = subject.mean, subject.reference_mean, mean_tolerance(subject)
    if mean is None or learnt is None or tolerance is None or (distance := abs(mean - learnt)) <= tolerance:
        return None
    # Of a mean of zero there is no percentage.
    apart = f"{distance / abs(learnt):.1%}" if learnt else f"{distance:.4g}"
    where = f"{apart} {'above' if mean > learnt else 'below'} its mean in the training data, {learnt:.4g}"
    # More than that share of it where it is near zero, or the rows are few.
    is_share = tolerance <= MEAN_TOLERANCE * abs(learnt)
    allowed = f"{MEAN_TOLERANCE:.0%}" if is_share else f"{tolerance:.4g}"
    return f"the mean of {name} was {mean:.4g} in {subject.mean_rows} predictions, {where}; {allowed} may be"


def _drift(name: str, subject: Subject) -> str | None:
    if subject.verdict != "drift":
        return None
    numbers = ", ".join(f"{key} {value:.3g}" for key, value in subject.statistics.items())
    p_value = "" if subject.p_value is None else f", p = {subject.p_value:.2g}"
    return f"{name} has drifted from what the model learnt from: {numbers}{p_value}, {subject.rows} predictions"
