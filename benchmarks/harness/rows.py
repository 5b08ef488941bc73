"""Predictions to write into a store."""

from datetime import UTC, datetime
from typing import Any, cast

import uuid_utils.compat as uuid_utils

from common.problem import Problem
from common.store.predictions import PredictionRow


def prediction_row(problem: Problem, **changes: Any) -> PredictionRow:
    """Return a champion's prediction of now as the api logs it, with `changes` in place of some of its fields."""
    classes = problem.target.classes
    row = PredictionRow(
        id=str(uuid_utils.uuid7()),
        role="champion",
        problem=problem.name,
        model_name=problem.onnx_name,
        model_version=1,
        predicted_at=datetime.now(UTC),
        features={feature.name: feature.example for feature in problem.features},
        class_name=classes[0],
        probabilities=dict.fromkeys(classes, 1 / len(classes)),
        confidence=1 / len(classes),
        is_outlier=False,
        outlier_score=0.5,
    )
    return cast("PredictionRow", {**row, **changes})


def prediction_rows(problem: Problem, count: int) -> list[PredictionRow]:
    """Return predictions of now, of all classes in turn."""
    classes = problem.target.classes
    return [prediction_row(problem, class_name=classes[number % len(classes)]) for number in range(count)]
