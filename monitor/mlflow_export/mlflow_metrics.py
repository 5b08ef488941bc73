"""What the external log is told, as numbers by name. Pure: evaluations and sums in, numbers out."""

import math
import re
from collections.abc import Mapping, Sequence

from common.evaluate import classes_of, matrix_of
from common.store.monitoring.history import DayDelay, DayLabels, DayVolume
from common.store.tables import ROLES, Role
from monitor.statistics.estimates import class_performance, performance
from monitor.statistics.window import Evaluation

CALLED: Mapping[Role, str] = {"champion": "champion", "shadow": "challenger"}
UNSPOKEN = re.compile(r"[^\w -]")
LONGEST = 200  # characters of a name; MLflow takes 250


def export_points(evaluation: Evaluation, rows: Mapping[Role, int]) -> dict[str, float]:
    """Return what a batch of predictions says: volume by role; the champion's outliers, classes, means and drift."""
    counts = {f"{CALLED[role]}_rows": rows.get(role, 0) for role in ROLES}
    ratios = {"outlier_ratio": evaluation.outlier_ratio, "confidence_mean": evaluation.confidence_mean}
    subjects = evaluation.subjects.items()
    means = {name: subject.mean for name, subject in evaluation.features.items()}
    drifts = {
        name: float(each.verdict == "drift") for name, each in subjects if each.verdict not in {None, "not enough data"}
    }
    statistics = sorted({statistic for _, subject in subjects for statistic in subject.statistics})
    found = counts | ratios | _group("share", evaluation.class_shares) | _group("mean", means) | _group("drift", drifts)
    found |= _group("p_value", {name: subject.p_value for name, subject in subjects})
    for statistic in statistics:
        found |= _group(statistic, {name: subject.statistics.get(statistic) for name, subject in subjects})
    return _known(found)


def day_points(
    volumes: Sequence[DayVolume], labels: Sequence[DayLabels], delays: Sequence[DayDelay]
) -> dict[str, float]:
    """Return what the roll-ups say of a day by role: volume, labels, and what they make of the answers."""
    found: dict[str, float | None] = {"label_delay_seconds": delays[0].mean_seconds if delays else None}
    for role in ROLES:
        if mine := [volume for volume in volumes if volume.role == role]:
            found |= _role_points(CALLED[role], mine, [each for each in labels if each.role == role])
    return _known(found)


def _role_points(who: str, volumes: Sequence[DayVolume], labels: Sequence[DayLabels]) -> dict[str, float | None]:
    classes = classes_of((), labels)
    matrix = matrix_of(labels, classes)
    answered, labelled = sum(each.predictions for each in volumes), int(matrix.sum())
    found: dict[str, float | None] = {
        f"{who}_predictions": answered,
        f"{who}_outliers": sum(each.outliers for each in volumes),
        f"{who}_labels": labelled,
        f"{who}_label_coverage": labelled / answered,
    }
    for name, estimate in performance(matrix).items():
        ends = {f"{who}_{name}_low": estimate.low, f"{who}_{name}_high": estimate.high}
        found |= {f"{who}_{name}": estimate.value, **ends}
    parts = dict(zip(classes, class_performance(matrix), strict=True))
    for name in ("precision", "recall", "f1"):
        found |= _group(f"{who}_{name}", {each: part[name].value for each, part in parts.items()})
    return found


def _group(group: str, values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return values under names that MLflow takes, and shows as a group; what it does not take becomes `_`."""
    found: dict[str, float | None] = {}
    for name, value in values.items():
        key = f"{group}/{UNSPOKEN.sub('_', name)[:LONGEST]}"
        while key in found:
            key += "_"
        found[key] = value
    return found


def _known(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None and math.isfinite(value)}
