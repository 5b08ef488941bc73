"""Evaluation of a window: its rows compared with the reference of the served version."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from common.store.monitoring.window_rows import WindowRow
from monitor.statistics.columns import Columns, Observed
from monitor.statistics.digits import edge_texts
from monitor.statistics.drift import RELATIVE_TOLERANCE, Drift, Verdict, category_drift, number_drift, verdicts
from monitor.statistics.enough import DRIFT_ROWS, MEAN_ROWS, SHARE_ROWS
from monitor.statistics.performance import Measured
from monitor.statistics.reference import CategoryReference, Floats, NumberReference, Reference, SubjectReference

CLASS, CONFIDENCE = "predicted class", "confidence"  # the subjects beside the features
OTHERS = "all others"  # one entry for all names that are new to the reference
MOST_NAMES = 50  # entries of a category without a reference
WINDOWS_KEPT = timedelta(days=7)  # a window of thirty features takes 20 kB, and there is one every minute


class Distribution(BaseModel):
    """Shares of the rows by `labels`, which are bins or names; `reference` is None without a reference."""

    model_config = ConfigDict(frozen=True)

    labels: list[str]
    window: list[float]
    reference: list[float] | None = None


class Subject(BaseModel):
    """A feature, the predicted class or the confidence, in the window and in the reference.

    Attributes:
        rows: the number of rows that have a value.
        mean_rows: the number of rows in the mean. Outliers are left out of the mean of a feature, because a few absurd
            values would move it and outliers have an alert of their own.
        mean: of a number; None with fewer than `MEAN_ROWS` rows.
        reference_rows: the number of rows in the reference; None, like all that follows, without a reference.
        reference_mean: of a number, without outliers if the bundle has that mean.
        reference_std: of the same rows.
        median: of the rows with a value, outliers included; None with fewer than `MEAN_ROWS` of them.
        reference_median: of the rows of the reference.
        below: the number of rows below the least value of the reference.
        above: the number of rows above its largest value.
        statistics: of the drift, by name; empty with fewer than `DRIFT_ROWS` rows.
        p_value: of the drift; None with fewer than `DRIFT_ROWS` rows.
        verdict: on the drift.
        distribution: shares by name or bin; a number without a reference has no bins, and no distribution.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["number", "category"]
    rows: int
    mean_rows: int = 0
    mean: float | None = None
    reference_rows: int | None = None
    reference_mean: float | None = None
    reference_std: float | None = None
    median: float | None = None
    reference_median: float | None = None
    below: int = 0
    above: int = 0
    statistics: dict[str, float] = {}
    p_value: float | None = None
    verdict: Verdict | None = None
    distribution: Distribution | None = None


class Evaluation(BaseModel):
    """The statistics of a window.

    Attributes:
        rows: the number of predictions.
        told_outlier: the number of predictions with an outlier score.
        outliers: the number of outliers among them.
        confidence_mean: the mean probability of the predicted class; None if fewer than `MEAN_ROWS` rows have one.
        class_counts: predictions by class; a class of the reference without predictions counts 0.
        subjects: the features by name, then `CLASS` and `CONFIDENCE`.
        performance: accuracy and recalls in the window and on a day; empty without results on the test rows.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    told_outlier: int
    outliers: int
    confidence_mean: float | None
    class_counts: dict[str, int]
    subjects: dict[str, Subject]
    performance: list[Measured] = []

    @property
    def outlier_ratio(self) -> float | None:
        """The share of outliers among the predictions with a score; None with fewer than `SHARE_ROWS` of them."""
        return self.outliers / self.told_outlier if self.told_outlier >= SHARE_ROWS else None

    @property
    def class_shares(self) -> dict[str, float]:
        """The shares of the predicted classes; empty with fewer than `SHARE_ROWS` predictions."""
        if self.rows < SHARE_ROWS:
            return {}
        return {name: count / self.rows for name, count in self.class_counts.items()}

    @property
    def features(self) -> dict[str, Subject]:
        """The subjects that are features."""
        return {name: subject for name, subject in self.subjects.items() if name not in {CLASS, CONFIDENCE}}


def evaluate(rows: Iterable[WindowRow], reference: Reference | None) -> Evaluation:
    """Evaluate the rows of one problem; without a reference, without comparison.

    Features are compared whichever version has answered. Predicted classes and confidences are compared only for the
    reference's version: another version answers differently without any drift.
    """
    window = Columns(rows, reference.features if reference else {})
    observed, references = _observed(window, reference), _references(reference)
    compared = {name: _compared(window, name, observed[name], references.get(name)) for name in observed}
    found = verdicts({name: drift for name, (_, drift) in compared.items() if drift})
    subjects = {
        name: subject.model_copy(update={"verdict": found.get(name)}) for name, (subject, _) in compared.items()
    }
    classes, confidences = window.classes(), window.confidences()
    return Evaluation(
        rows=classes.total(),
        told_outlier=window.outliers.total(),
        outliers=window.outliers[True],
        confidence_mean=_mean(confidences),
        class_counts=dict.fromkeys(reference.classes if reference else (), 0) | classes,
        subjects=subjects,
    )


def _references(reference: Reference | None) -> dict[str, SubjectReference]:
    if reference is None:
        return {}
    own = {CLASS: reference.answers, CONFIDENCE: reference.confidence}
    return {**reference.features, **{name: each for name, each in own.items() if each is not None}}


def _observed(window: Columns, reference: Reference | None) -> dict[str, Observed]:
    version = reference.version if reference else None
    return {
        **{name: column.observed() for name, column in window.features.items()},
        CLASS: window.classes(version),
        CONFIDENCE: window.confidences(version),
    }


def _compared(
    window: Columns, name: str, observed: Observed, reference: SubjectReference | None
) -> tuple[Subject, Drift | None]:
    if isinstance(observed, Counter):
        names = reference if isinstance(reference, CategoryReference) else None
        return _category(observed, names)
    usual = window.features[name].usual() if name in window.features else observed
    return _number(observed, usual, reference if isinstance(reference, NumberReference) else None)


def _category(counts: Counter[str], reference: CategoryReference | None) -> tuple[Subject, Drift | None]:
    drift = category_drift(reference, counts) if reference else None
    subject = Subject(
        kind="category",
        rows=counts.total(),
        reference_rows=reference.rows if reference else None,
        distribution=_names(counts, reference.shares if reference else None),
    )
    return _with_drift(subject, drift), drift


def _number(values: Floats, usual: Floats, reference: NumberReference | None) -> tuple[Subject, Drift | None]:
    subject = Subject(kind="number", rows=len(values), mean_rows=len(usual), mean=_mean(usual))
    if reference is None:
        return subject, None
    mean, std = reference.usual or (reference.mean, reference.std)
    lowest, highest = reference.quantiles[0], reference.quantiles[-1]
    compared = {
        "reference_rows": reference.rows,
        "reference_mean": mean,
        "reference_std": std,
        "median": float(np.median(values)) if len(values) >= MEAN_ROWS else None,
        "reference_median": float(np.median(reference.quantiles)),
        "below": int(np.count_nonzero(values < lowest - RELATIVE_TOLERANCE * abs(lowest))),
        "above": int(np.count_nonzero(values > highest + RELATIVE_TOLERANCE * abs(highest))),
        "distribution": _bins(values, reference),
    }
    drift = number_drift(reference, values)
    return _with_drift(subject.model_copy(update=compared), drift), drift


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) >= MEAN_ROWS else None


def _with_drift(subject: Subject, drift: Drift | None) -> Subject:
    if drift is None or drift.rows < DRIFT_ROWS:
        return subject
    return subject.model_copy(update={"statistics": dict(drift.statistics), "p_value": drift.p_value})


def _names(counts: Counter[str], reference: Mapping[str, float] | None) -> Distribution:
    names = list(reference) if reference is not None else [name for name, _ in counts.most_common(MOST_NAMES)]
    found = [counts[name] for name in names]
    window = _shares([*found, counts.total() - sum(found)])
    learnt = [*reference.values(), 0.0] if reference is not None else None
    return Distribution(labels=[*names, OTHERS], window=window, reference=learnt and _rounded(learnt))


def _bins(values: Floats, reference: NumberReference) -> Distribution:
    # A bin ends with its edge and includes it, as in the reference.
    counts = np.bincount(np.searchsorted(reference.edges, values), minlength=len(reference.shares))
    edges = edge_texts(reference.edges)
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    labels = [f"up to {edges[0]}", *between, f"above {edges[-1]}"] if edges else ["all"]
    return Distribution(labels=labels, window=_shares(counts.tolist()), reference=_rounded(reference.shares.tolist()))


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return _rounded([count / total if total else 0.0 for count in counts])


def _rounded(values: Sequence[float]) -> list[float]:
    # The shares of every window are stored. Full precision would double their size.
    return [round(value, 5) for value in values]
