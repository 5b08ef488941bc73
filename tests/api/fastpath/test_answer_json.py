"""Answers in JSON are those that pydantic would write, whatever the model says."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from api.fastpath.answer_json import AnswerJson
from api.inference.prediction_batch import PredictionBatch
from api.model.follower import ServedVersion
from api.schemas.responses import Prediction, Predictions
from common.bundle.model import Answer, OnnxModel
from common.registry.client import Version

START = "01a20379-8dd4-7779-a0c2-28e6ab"
number = st.floats(width=32)
names = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=5), min_size=2, max_size=4, unique=True)


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[str], Answer, Any]:
    """Class names, the answer of a model to some rows, and the flags of the outliers."""
    classes, rows = draw(names), draw(st.integers(1, 5))

    def numbers(count: int) -> Any:
        return np.array(draw(st.lists(number, min_size=count, max_size=count)), dtype=np.float32)

    labels = np.array(draw(st.lists(st.integers(0, len(classes) - 1), min_size=rows, max_size=rows)), dtype=np.int64)
    probabilities = numbers(rows * len(classes)).reshape(rows, -1) if draw(st.booleans()) else None
    scores = numbers(rows) if draw(st.booleans()) else None
    return classes, Answer(labels, probabilities, scores), (scores < 0).tolist() if scores is not None else None


def batch_of(classes: list[str], answer: Answer, flags: Any) -> PredictionBatch:
    outliers = None if flags is None else np.array(flags)
    model = SimpleNamespace(classes=classes, is_outlier=lambda _: outliers)
    served = ServedVersion(Version("IrisModel", 3, "", {}), cast("OnnxModel", model))
    rows = np.zeros((len(answer.labels), 1))
    return PredictionBatch(START, datetime.now(UTC), "champion", served, rows, rows, answer)


@given(answers())
def test_rows_and_batches_are_written_as_pydantic_writes_them(given: tuple[list[str], Answer, Any]) -> None:
    classes, answer, flags = given
    rows = len(answer.labels)
    written = AnswerJson(classes, "IrisModel", 3)
    shares: list[Any] = answer.probabilities.tolist() if answer.probabilities is not None else [None] * rows
    scores = answer.outlier_scores.tolist() if answer.outlier_scores is not None else [None] * rows
    expected = [
        Prediction.model_validate(
            {
                "class_name": classes[label],
                "probabilities": dict(zip(classes, shares[row], strict=True)) if shares[row] is not None else None,
                "prediction_id": f"{START}{row:06d}",
                "model_name": "IrisModel",
                "model_version": 3,
                "is_outlier": flags[row] if flags is not None else None,
                "outlier_score": scores[row],
            }
        )
        for row, label in enumerate(answer.labels.tolist())
    ]
    batch = batch_of(classes, answer, flags)
    assert written.rows(batch) == batch.json_rows() == [each.model_dump_json().encode() for each in expected]
    whole = Predictions(predictions=expected).model_dump_json().encode()
    assert written.batch(batch) == batch.json_batch() == whole
