"""The check that a bundle answers as the scikit-learn model that it was made from."""

import numpy as np

from common.bundle.answer import Answer, ModelError
from common.bundle.model import OnnxModel
from common.bundle.outliers import OutlierScorer
from common.precision import column_to_blame  # room: precision
from common.problem import Classifier, Ints, Rows, as_float32, probabilities_of


def check_parity(bundle: OnnxModel, model: Classifier, X: Rows, scorer: OutlierScorer | None = None) -> Answer:
    """Compare a bundle with the classifier and the outlier scorer that it was made from; return the bundle's answer.

    ONNX Runtime computes in single precision, so the answer is compared with scikit-learn's answer to the rows in
    single precision. The labels must also be those of the rows as they are.

    Args:
        bundle: the loaded bundle.
        model: the scikit-learn classifier.
        X: rows of features `[rows, features]`.
        scorer: the outlier scorer, if the bundle has one.

    Raises:
        ModelError: a label differs, a probability by more than 1e-5, or an outlier score by more than 1e-5 of its size
            (of 1, if it is smaller). Where single precision is the reason, the message names the column.
    """
    bundle.check_golden()
    rows = as_float32(X)
    answer = bundle.predict(bundle.as_rows(X))
    probabilities = probabilities_of(model, rows)
    right = Answer(
        model.predict(rows),
        None if probabilities is None else as_float32(probabilities),
        as_float32(scorer.score(rows)) if scorer else None,
    )
    answer.check_equal(right)
    _check_precision(bundle, model, X, answer.labels)
    return answer


def _check_precision(bundle: OnnxModel, model: Classifier, X: Rows, labels: Ints) -> None:
    different = np.flatnonzero(model.predict(X) != labels)
    if different.size:
        which = "a column"
        which = column_to_blame(bundle.metadata["features"], model, X, different)  # room: precision
        raise ModelError(
            f"{different.size} of {len(X)} test rows get another class from the exported model, because single "
            f"precision (float32) cannot hold the values of {which}; subtract an origin from the column, or use "
            "another unit"
        )
