"""From rows of features to answers, all by one version."""

from collections.abc import Sequence

import numpy as np
import uuid_utils.compat as uuid_utils

from api.metrics import Metrics
from api.schemas import Prediction
from api.serving import Served
from common.onnx_io import Floats32
from common.problem import Problem


def predict(served: Served, rows: Sequence[Sequence[float]], metrics: Metrics) -> list[Prediction]:
    """Answer `rows` (each the features in order) by `served`, and count the answers by class."""
    predictions = answer(served, np.array(rows, dtype=np.float32))
    for prediction in predictions:
        metrics.predicted.labels(prediction.class_name).inc()
    return predictions


def answer(served: Served, X: Floats32) -> list[Prediction]:
    """Answer float32 rows `[rows, features]`, without counting."""
    found = served.model.predict(X)
    classes = served.model.classes
    shares = found.probabilities.tolist() if found.probabilities is not None else [None] * len(found.labels)
    return [
        Prediction(
            class_name=classes[label],
            probabilities=dict(zip(classes, share, strict=True)) if share is not None else None,
            prediction_id=uuid_utils.uuid7(),
            model_name=served.version.name,
            model_version=served.version.number,
        )
        for label, share in zip(found.labels.tolist(), shares, strict=True)
    ]


def sample_row(problem: Problem) -> Floats32:
    """Return the features' examples as one row, float32 `[1, features]`."""
    return np.array([[feature.example for feature in problem.features]], dtype=np.float32)
