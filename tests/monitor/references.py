"""References for the tests, a holder that knows one, and a store that fails."""

from datetime import datetime
from typing import Any

import numpy as np

from common.bundle.reference import reference_statistics
from common.problem import Problem, Table
from common.registry.client import Registry, Version
from common.store import Store, StoreError
from common.store.predictions import PredictionRow
from monitor.follow_registry import AliasedVersions, References
from monitor.page.view import Backends
from monitor.statistics.reference import Reference, read_reference
from tests.common.store.rows import MODEL, prediction


def reference_of(problem: Problem, rows: Table, version: int = 1) -> Reference:
    """The reference of a model that has learnt from rows and answers them rightly, with 0.7 to 1 confidence."""
    found = read_reference(version, {"reference": statistics_of(problem, rows), "classes": problem.target.classes})
    assert found
    return found


def statistics_of(problem: Problem, rows: Table) -> dict[str, object]:
    counts = np.bincount(rows.y) / len(rows.y)
    confidences = np.linspace(0.7, 1.0, len(rows.y))
    edges = np.quantile(confidences, np.linspace(0.1, 0.9, 9))
    answers = {
        "rows": len(rows.y),
        "classes": {"shares": dict(zip(problem.target.classes, counts.tolist(), strict=True))},
        "confidence": {
            "mean": confidences.mean(),
            "std": confidences.std(),
            "quantiles": np.quantile(confidences, np.linspace(0, 1, 101)).tolist(),
            "bins": {"edges": edges.tolist(), "shares": [0.1] * 10},
        },
    }
    return {**reference_statistics(problem, rows), "answers": answers}


def answered(problem: Problem, rows: Table, *, times: int = 1, version: int = 1) -> list[PredictionRow]:
    """The predictions of such a model for the rows, `times` times."""
    classes = problem.target.classes
    confidences = np.linspace(0.7, 1.0, len(rows.y)).tolist()
    return [
        prediction(f"{turn} {number}", classes[label], version=version)
        | {"features": dict(zip(problem.columns, features, strict=True)), "confidence": confidence}
        for turn in range(times)
        for number, (features, label, confidence) in enumerate(
            zip(rows.X.tolist(), rows.y.tolist(), confidences, strict=True)
        )
    ]


def knowing(store: Store, reference: Reference | None = None, aliases: AliasedVersions | None = None) -> References:
    """Return what has found a reference and aliases of `IrisModel`, and follows no registry."""
    references = References(store, Registry("http://127.0.0.1:1"), {"iris": MODEL})
    if aliases:
        references._aliases[MODEL] = aliases
    if reference:
        references._found[MODEL] = Version(MODEL, reference.version, "models:/m", {}), reference
    return references


def backends_of(store: Store, reference: Reference | None = None, aliases: AliasedVersions | None = None) -> Backends:
    """Return where tabs have what they show from."""
    return Backends(store, knowing(store, reference, aliases), "http://mlflow", "http://prefect")


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def away(*_: object, **__: object) -> Any:
    """Fail as a store that is away."""
    raise StoreError("the store is away")
