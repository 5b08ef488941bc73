"""A window of predictions, held against what the model learnt from. Pure: rows and a reference in, numbers out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from common.store.monitoring.window_rows import WindowRow
from monitor.follow_registry import Reference
from monitor.statistics.columns import Columns, Observed
from monitor.statistics.drift import (
    CategoryReference,
    Drift,
    Floats,
    NumberReference,
    Verdict,
    category_drift,
    number_drift,
    verdicts,
)
from monitor.statistics.enough import DRIFT_ROWS, MEAN_ROWS, SHARE_ROWS
from monitor.statistics.performance import Measured

CLASS, CONFIDENCE = "predicted class", "confidence"  # what is compared beside the features
OTHERS = "all others"  # names that the reference does not know: one entry, however many there are
MOST_NAMES = 50  # of a category without a reference


class Distribution(BaseModel):
    """Shares of the rows by `labels`, which are bins or names; `reference` is None where there is none."""

    model_config = ConfigDict(frozen=True)

    labels: list[str]
    window: list[float]
    reference: list[float] | None = None


class Subject(BaseModel):
    """A feature, the predicted class or the confidence: what it was, and how that stands to the reference.

    Attributes:
        rows: how many have told it.
        mean_rows: how many of them the mean is of: those of a feature that are no outliers, since a few absurd values
            would move it, and outliers are told of by themselves.
        mean: of a number; None for fewer than `MEAN_ROWS` of them.
        reference_rows: how many the reference is from; None, like all that follows, without a reference.
        reference_mean: of a number, likewise without outliers where the bundle tells it.
        reference_std: of the same rows.
        statistics: of the drift, by name; none for fewer than `DRIFT_ROWS`.
        p_value: of the drift; None for as few.
        verdict: on the drift.
        distribution: of a number only with a reference, whose bins it has.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["number", "category"]
    rows: int
    mean_rows: int = 0
    mean: float | None = None
    reference_rows: int | None = None
    reference_mean: float | None = None
    reference_std: float | None = None
    statistics: dict[str, float] = {}
    p_value: float | None = None
    verdict: Verdict | None = None
    distribution: Distribution | None = None


class Evaluation(BaseModel):
    """What the rows of a window say together.

    Attributes:
        rows: how many.
        told_outlier: those of them whose model tells whether they are outliers.
        outliers: those that are.
        confidence_mean: the mean probability of the class that was answered; None where fewer than `MEAN_ROWS` tell.
        class_counts: rows by answered class, also of classes of the reference that no row has.
        subjects: the features by name, then `CLASS` and `CONFIDENCE`.
        performance: how good the version's answers were, in the window and on a day; nothing where neither was asked.
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
        """The share of outliers among the rows that tell; None where fewer than `SHARE_ROWS` do."""
        return self.outliers / self.told_outlier if self.told_outlier >= SHARE_ROWS else None

    @property
    def class_shares(self) -> dict[str, float]:
        """The shares of the answered classes; nothing for fewer than `SHARE_ROWS`."""
        if self.rows < SHARE_ROWS:
            return {}
        return {name: count / self.rows for name, count in self.class_counts.items()}

    @property
    def features(self) -> dict[str, Subject]:
        """The subjects that are features."""
        return {name: subject for name, subject in self.subjects.items() if name not in {CLASS, CONFIDENCE}}


def evaluate(rows: Iterable[WindowRow], reference: Reference | None) -> Evaluation:
    """Evaluate the rows of one problem against a reference, as far as it is known.

    Features are compared whichever version has answered. The answered classes and confidences of another version are
    not: they are no drift, but that version.
    """
    seen = Columns(rows, reference.features if reference else {})
    observed, references = _observed(seen, reference), _references(reference)
    compared = {name: _compared(seen, name, observed[name], references.get(name)) for name in observed}
    told = verdicts({name: drift for name, (_, drift) in compared.items() if drift})
    subjects = {name: subject.model_copy(update={"verdict": told.get(name)}) for name, (subject, _) in compared.items()}
    classes, confidences = seen.classes(), seen.confidences()
    return Evaluation(
        rows=classes.total(),
        told_outlier=sum(seen.outliers.values()),
        outliers=seen.outliers[True],
        confidence_mean=_mean(confidences),
        class_counts=dict.fromkeys(reference.classes if reference else (), 0) | classes,
        subjects=subjects,
    )


def _references(reference: Reference | None) -> dict[str, NumberReference | CategoryReference]:
    if reference is None:
        return {}
    own = {CLASS: reference.answers, CONFIDENCE: reference.confidence}
    return {**reference.features, **{name: each for name, each in own.items() if each is not None}}


def _observed(seen: Columns, reference: Reference | None) -> dict[str, Observed]:
    version = reference.version if reference else None
    return {
        **{name: column.observed() for name, column in seen.features.items()},
        CLASS: seen.classes(version),
        CONFIDENCE: seen.confidences(version),
    }


def _compared(
    seen: Columns, name: str, observed: Observed, reference: NumberReference | CategoryReference | None
) -> tuple[Subject, Drift | None]:
    if isinstance(observed, Counter):
        names = reference if isinstance(reference, CategoryReference) else None
        return _category(observed, names)
    usual = seen.features[name].usual() if name in seen.features else observed
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
    compared = {
        "reference_rows": reference.rows,
        "reference_mean": mean,
        "reference_std": std,
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
    return Distribution(labels=[*names, OTHERS], window=window, reference=learnt and _short(learnt))


def _bins(values: Floats, reference: NumberReference) -> Distribution:
    # As the reference was counted: a bin ends with, and includes, its edge.
    counts = np.bincount(np.searchsorted(reference.edges, values), minlength=len(reference.shares))
    edges = [f"{edge:.4g}" for edge in reference.edges]
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    labels = [f"up to {edges[0]}", *between, f"above {edges[-1]}"] if edges else ["all"]
    return Distribution(labels=labels, window=_shares(counts.tolist()), reference=_short(reference.shares.tolist()))


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return _short([count / total if total else 0.0 for count in counts])


def _short(values: Sequence[float]) -> list[float]:
    # They are kept for every window: digits that nobody sees are half of what they would take.
    return [round(value, 5) for value in values]
