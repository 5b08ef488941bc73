"""Breast cancer in Wisconsin: thirty measurements of cell nuclei, benign or malignant.

Functions import scikit-learn when they need it, because the api reads this file without scikit-learn.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.problem import Candidate, Ints, Number, Problem, Rows, Table, Target
from common.table import read_table

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

SEED = 42
TEST_SHARE = 0.9  # the model learns from few rows, as in the published example, so it makes mistakes to correct
REGRESSION, PERCEPTRON = "logistic regression", "perceptron"
# The strengths of regularisation to try, for each family.
REGULARISATION = {REGRESSION: (0.1, 1.0, 10.0), PERCEPTRON: (0.00001, 0.0001, 0.001)}

# Ten measurements of each nucleus: name, unit, largest plausible value of the mean. A row has three values of each: the
# mean over an image's nuclei, its standard error, and the mean of the three largest. Source: W. N. Street,
# W. H. Wolberg, O. L. Mangasarian, "Nuclear feature extraction for breast tumor diagnosis", 1993.
MEASUREMENTS = (
    ("radius", "pixels", 100.0),
    ("texture", "grey levels", 200.0),
    ("perimeter", "pixels", 1_000.0),
    ("area", "square pixels", 20_000.0),
    ("smoothness", "relative", 5.0),
    ("compactness", "relative", 10.0),
    ("concavity", "relative", 10.0),
    ("concave points", "relative", 5.0),
    ("symmetry", "relative", 5.0),
    ("fractal dimension", "relative", 5.0),
)
# The first row of the published data.
EXAMPLE = (
    *(17.99, 10.38, 122.8, 1001.0, 0.1184, 0.2776, 0.3001, 0.1471, 0.2419, 0.07871),
    *(1.095, 0.9053, 8.589, 153.4, 0.006399, 0.04904, 0.05373, 0.01587, 0.03003, 0.006193),
    *(25.38, 17.33, 184.6, 2019.0, 0.1622, 0.6656, 0.7119, 0.2654, 0.4601, 0.1189),
)


def load(source: Path | None) -> Table:
    """Return the 569 tumours of a file with the same columns, or of the copy in scikit-learn."""
    if source is not None:
        return read_table(source, PROBLEM, indices=False)
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    return Table(bunch.data, bunch.target.astype(np.int64))


def candidates() -> list[Candidate]:
    """Return candidates of two families: logistic regressions, and perceptrons, which give no probabilities.

    A fit of either family ends in the same place wherever it starts, so there is nothing to continue: corrections are
    learnt by the default refit alone.
    """
    return [_candidate(family, strength) for family, strengths in REGULARISATION.items() for strength in strengths]


def _candidate(family: str, strength: float) -> Candidate:
    def fit(X: Rows, y: Ints) -> "Pipeline":
        from sklearn.linear_model import LogisticRegression, Perceptron
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        if family == REGRESSION:
            model = LogisticRegression(solver="liblinear", C=1 / strength, random_state=SEED)
        else:
            model = Perceptron(penalty="l2", alpha=strength, random_state=SEED)
        return make_pipeline(StandardScaler(), model).fit(X, y)

    return Candidate({"family": family, "regularisation": strength}, fit, family)


def _features() -> tuple[Number, ...]:
    spellings = (("mean {}", "mean"), ("{} error", "standard error"), ("worst {}", "mean of the three largest"))
    return tuple(
        Number(
            spelling.format(name),
            unit=unit,
            description=f"{name} of the nuclei: {meaning}",
            minimum=0.0,
            maximum=largest,
            example=EXAMPLE[place * len(MEASUREMENTS) + number],
        )
        for place, (spelling, meaning) in enumerate(spellings)
        for number, (name, unit, largest) in enumerate(MEASUREMENTS)
    )


PROBLEM = Problem(
    name="breast_cancer",
    features=_features(),
    target=Target("diagnosis", ("malignant", "benign")),
    load=load,
    candidates=candidates,
    test_share=TEST_SHARE,
)
