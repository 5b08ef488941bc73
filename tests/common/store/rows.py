"""Rows that the tests of the store write."""

from datetime import UTC, datetime

from common.store.predictions import PredictionRow
from common.store.suggestions import Suggestion
from common.store.tables import Role

MODEL = "IrisModel"
SETOSA, VERSICOLOR, VIRGINICA = CLASSES = ("Iris-setosa", "Iris-versicolor", "Iris-virginica")
FEATURES = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
PROBABILITIES = {SETOSA: 0.7, VERSICOLOR: 0.2, VIRGINICA: 0.1}
NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def prediction(  # noqa: PLR0913  # each is what some test is about
    prediction_id: str,
    class_name: str = SETOSA,
    *,
    role: Role = "champion",
    version: int = 1,
    at: datetime = NOON,
    problem: str = "iris",
) -> PredictionRow:
    return {
        "id": prediction_id,
        "role": role,
        "problem": problem,
        "model_name": MODEL,
        "model_version": version,
        "predicted_at": at,
        "features": FEATURES,
        "class_name": class_name,
        "probabilities": PROBABILITIES,
        "confidence": 0.7,
        "is_outlier": False,
        "outlier_score": 0.25,
    }


def shadow(prediction_id: str, class_name: str = SETOSA, version: int = 2) -> PredictionRow:
    """Return a challenger's answer for the row of `prediction`."""
    return prediction(prediction_id, class_name, role="shadow", version=version)


def suggestion(
    suggestion_id: str, problem: str = "iris", prediction_id: str | None = None, source: str | None = None
) -> Suggestion:
    return Suggestion(suggestion_id, problem, FEATURES, SETOSA, prediction_id, source=source)
