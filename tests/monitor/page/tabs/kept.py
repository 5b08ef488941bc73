"""Windows, corrections and judgements for a store."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from common.store import Store
from common.store.judgements import JudgementRecord
from common.store.monitoring.windows import WindowRecord
from common.store.predictions import PredictionRow
from monitor.statistics.window import Evaluation
from tests.common.store.rows import CLASSES, FEATURES, MODEL, NOON, SETOSA, VERSICOLOR, prediction, suggestion

MINUTE = timedelta(minutes=1)
RUN = "118f7a4a-708a-43bd-ad77-9391a0d24b4f"


def shifted_rows(shift: float, count: int = 600) -> list[PredictionRow]:
    """Rows of which one feature has moved."""
    random = np.random.default_rng(3)
    found = []
    for number in range(count):
        features = {name: float(random.normal(3.0, 1.0)) for name in FEATURES}
        features["petal_width"] += shift
        answered = prediction(str(number), CLASSES[number % 3], version=2)
        found.append(answered | {"features": features, "is_outlier": number % 10 == 0, "confidence": None})
    return found


def write_window(store: Store, evaluation: Evaluation, ended_at: datetime = NOON, version: int | None = 2) -> None:
    record = WindowRecord(
        problem="iris",
        model_name=MODEL,
        model_version=version,
        began_at=ended_at - 5 * MINUTE,
        ended_at=ended_at,
        rows=evaluation.rows,
        outliers=evaluation.outliers,
        evaluation=evaluation.model_dump(mode="json"),
    )
    store.windows.write(record)


def learn(store: Store, name: str, row: int, flow_run: str = RUN, source: str | None = None) -> None:
    """Bring a correction as far as the file."""
    store.suggestions.add(suggestion(name, source=source))
    store.suggestions.delivered(name, flow_run)
    store.suggestions.reserve_row(replace(suggestion(name), row_number=row))
    store.suggestions.row_written(name)


def open_judgement(version: int, *wanted: str, judged_at: datetime = NOON) -> JudgementRecord:
    """Return an open verdict: on the wanted predictions the candidate answers setosa, and the others versicolor."""
    classes = [{"name": name, "gain": 0, "harm": 0, "n": 10, "high": 0.2} for name in (SETOSA, VERSICOLOR)]
    counts = {"gain": 3, "harm": 0, "unknown": len(wanted), "n": 400, "known": 20}
    against = {**counts, "low": -0.0212, "high": 0.05, "classes": classes}
    details = {
        "against": {"champion": against, "anchor": {**against, "low": -0.03}},
        "rules": {"margin": 0.02, "class_loss": 0.05},
        "alphas": [0.05, 0.05],
        "taught": 5,
        "taught_before": 1,
        "taught_after": 4,
        "because": "against the anchor, the candidate is right alone on 3",
        "wanted": [
            {"prediction_id": name, "candidate": SETOSA, "champion": VERSICOLOR, "anchor": VERSICOLOR}
            for name in wanted
        ],
    }
    return JudgementRecord("j", "iris", judged_at, "insufficient evidence", version, "refitted", details, None, RUN)
