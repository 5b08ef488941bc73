"""How unlike the training data a row is, whatever its class.

scikit-learn is imported where it is used: services import common/ and do without it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from common.problem import Floats, Problem, Rows, Table

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# The share of the fitting rows that may lie outside the frontier, where the score is 0: a bound on how tightly
# the frontier is drawn, not a rate of alarms.
NU = 0.05
# The sign of the score alone would flag more than `NU` of good rows that the scorer has not seen. Rows kept from it
# say where good rows end: one in a hundred of them is below, few enough for a flag to mean something.
QUANTILE = 0.01
MAX_ROWS = 2_000
SEED = 42


@dataclass(frozen=True)
class OutlierScorer:
    """A fitted one-class SVM on standardised numbers; a row is an outlier when its score is below `threshold`.

    Attributes:
        pipeline: scikit-learn's StandardScaler, of the features that are numbers, and OneClassSVM.
        threshold: the score that one in a hundred validation rows is below.
        training_rate: the share of the rows that it was fitted on whose score is below the threshold.
    """

    pipeline: "Pipeline"
    threshold: float
    training_rate: float

    def score(self, X: Rows) -> Floats:
        """Return scores `[rows]` for features `[rows, features]`.

        They are scikit-learn's `decision_function`: negative means unlike the training data, and the lower the less
        alike.
        """
        scores: Floats = self.pipeline.decision_function(X)
        return scores

    @property
    def metrics(self) -> dict[str, float]:
        """The threshold and the rate, by the names under which MLflow shows them."""
        return {"outlier_threshold": self.threshold, "outlier_rate": self.training_rate}

    @property
    def tags(self) -> dict[str, str]:
        """The same as tags of a version, with four digits."""
        return {name: f"{value:.4f}" for name, value in self.metrics.items()}


def outlier_scorer_for(problem: Problem, fitting: Table, validation: Table) -> OutlierScorer | None:
    """Return what `fit_outlier_scorer` makes of a problem's rows; None for a problem without any numbers."""
    has_numbers = any(feature.kind == "number" for feature in problem.features)
    return fit_outlier_scorer(fitting, validation) if has_numbers else None


def fit_outlier_scorer(fitting: Table, validation: Table) -> OutlierScorer:
    """Fit a scorer on the rows of `fitting`, and set its threshold by those of `validation`, at least one of each.

    Of many rows it takes a sample, the same each time: what it costs to fit and to ask grows faster than they do.
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
