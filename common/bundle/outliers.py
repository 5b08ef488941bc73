"""Outlier scores: they say how much a row differs from the training rows, whatever its class.

Functions import scikit-learn when they need it, so that a service can import this module without it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from common.problem import Floats, Problem, Rows, Table

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# `nu` of scikit-learn's OneClassSVM: an upper bound on the share of the fitting rows whose score is below 0. It says
# how tightly the SVM encloses the rows; it is not the share of rows that become outliers.
NU = 0.05
# With 0 as threshold, more than `NU` of good new rows would be outliers. So the threshold is the score that one in a
# hundred validation rows is below, which the scorer has not seen.
QUANTILE = 0.01
MAX_ROWS = 2_000
SEED = 42


@dataclass(frozen=True)
class OutlierScorer:
    """A fitted one-class SVM on standardised numbers; a row is an outlier if its score is below `threshold`.

    Attributes:
        pipeline: scikit-learn's StandardScaler, applied to the numbers only, and OneClassSVM.
        threshold: one in a hundred validation rows has a score below it.
        training_rate: the share of the fitting rows with a score below the threshold.
    """

    pipeline: "Pipeline"
    threshold: float
    training_rate: float

    def score(self, X: Rows) -> Floats:
        """Return scores `[rows]` for features `[rows, features]`.

        They are scikit-learn's `decision_function`: negative means unlike the training data, and a lower score means
        less alike.
        """
        scores: Floats = self.pipeline.decision_function(X)
        return scores

    @property
    def metrics(self) -> dict[str, float]:
        """The threshold and the training rate, by their names in MLflow."""
        return {"outlier_threshold": self.threshold, "outlier_rate": self.training_rate}


def outlier_scorer_for(problem: Problem, fitting: Table, validation: Table) -> OutlierScorer | None:
    """Fit a scorer as `fit_outlier_scorer` does; return None for a problem without numbers."""
    has_numbers = any(feature.kind == "number" for feature in problem.features)
    return fit_outlier_scorer(fitting, validation) if has_numbers else None


def fit_outlier_scorer(fitting: Table, validation: Table) -> OutlierScorer:
    """Fit a scorer on the rows of `fitting`, and set its threshold by the rows of `validation`, at least one of each.

    Of more than 2 000 rows it takes a sample, the same each time, because the costs of fitting and scoring grow faster
    than the number of rows.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import OneClassSVM

    pipeline = make_pipeline(_scaler(fitting.X), OneClassSVM(nu=NU, gamma="scale")).fit(_sample(fitting.X))
    threshold = float(np.quantile(pipeline.decision_function(_sample(validation.X)), QUANTILE))
    below = pipeline.decision_function(_sample(fitting.X)) < threshold
    return OutlierScorer(pipeline, threshold, float(below.mean()))


def _scaler(X: Rows) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import StandardScaler

    if X.dtype != object:
        return StandardScaler()
    numbers = [index for index, value in enumerate(X[0]) if not isinstance(value, str)]
    return ColumnTransformer([("numbers", StandardScaler(), numbers)])


def _sample(X: Rows) -> Rows:
    if len(X) <= MAX_ROWS:
        return X
    return X[np.random.default_rng(SEED).choice(len(X), MAX_ROWS, replace=False)]
