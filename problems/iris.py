"""Fisher's iris: four lengths in centimetres, three species.

Functions import scikit-learn when they need it, because the api reads this file without scikit-learn.
"""

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.problem import Candidate, Floats, Ints, Number, Problem, Table, Target
from common.refit import weighted
from common.table import read_table

if TYPE_CHECKING:
    from sklearn.neural_network import MLPClassifier

HIDDEN_LAYERS = (2, 3, 4)
EPOCHS = (100, 250, 500, 750, 1000)
NEURONS = 10
LEARNING_RATE = 0.001
SEED = 42
LARGEST_BATCH = 200  # rows, as scikit-learn's default

FINETUNE_EPOCHS = 5
FINETUNE_LEARNING_RATE = LEARNING_RATE / 10

# Row number -> (values in the UCI file, values in Fisher's article). Source: the errata in the UCI file iris.names.
ERRATA = {
    35: ((4.9, 3.1, 1.5, 0.1), (4.9, 3.1, 1.5, 0.2)),
    38: ((4.9, 3.1, 1.5, 0.1), (4.9, 3.6, 1.4, 0.1)),
}


def load(source: Path | None) -> Table:
    """Return the 150 flowers of a UCI file `iris.data`, or of the copy in scikit-learn, with the errata corrected."""
    if source is None:
        from sklearn.datasets import load_iris

        bunch = load_iris()
        return Table(bunch.data, bunch.target.astype(np.int64))
    table = read_table(source, PROBLEM, indices=False)
    X = table.X.copy()
    for row, (wrong, right) in ERRATA.items():
        if len(X) >= row and tuple(X[row - 1]) == wrong:
            X[row - 1] = right
    return Table(X, table.y)


def candidates() -> list[Candidate]:
    """Return a grid of perceptrons: 2 to 4 hidden layers of 10 neurons, 100 to 1 000 epochs."""
    return [_perceptron(layers, epochs) for layers in HIDDEN_LAYERS for epochs in EPOCHS]


def _perceptron(layers: int, epochs: int) -> Candidate:
    def fit(X: Floats, y: Ints) -> "MLPClassifier":
        from sklearn.neural_network import MLPClassifier

        model = MLPClassifier(
            hidden_layer_sizes=(NEURONS,) * layers,
            max_iter=epochs,
            learning_rate_init=LEARNING_RATE,
            random_state=SEED,
        )
        return _fit(model, X, y)

    return Candidate({"hidden_layers": layers, "epochs": epochs}, fit)


def continue_training(model: "MLPClassifier", original: Table, corrections: Table) -> "MLPClassifier":
    """Return a copy of `model` after 5 more epochs at a tenth of the learning rate; corrections weigh more."""
    from copy import deepcopy

    # scikit-learn continues the first fit's count of epochs without improvement, and would stop at once.
    tuned = deepcopy(model).set_params(
        warm_start=True,
        max_iter=FINETUNE_EPOCHS,
        learning_rate_init=FINETUNE_LEARNING_RATE,
        n_iter_no_change=np.inf,
    )
    return _fit(tuned, *weighted(original, corrections))


def refit(model: "MLPClassifier", original: Table, corrections: Table) -> "MLPClassifier":
    """Return a clone of `model`, fitted anew on all rows; corrections weigh more."""
    from sklearn.base import clone

    return _fit(clone(model), *weighted(original, corrections))


def _fit(model: "MLPClassifier", X: Floats, y: Ints, weights: Floats | None = None) -> "MLPClassifier":
    from sklearn.exceptions import ConvergenceWarning

    # scikit-learn's default is batches of 200 rows, and one of the rest. Of 201 rows, the rest is a single row, and a
    # step on it spoils each epoch: batches of equal size have no rest.
    model.set_params(batch_size=math.ceil(len(y) / math.ceil(len(y) / LARGEST_BATCH)))
    with warnings.catch_warnings():
        # The grid compares numbers of epochs, so a fit may end before it converges.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, sample_weight=weights)


def _length(name: str, description: str, example: float) -> Number:
    return Number(name, unit="cm", description=description, minimum=0.0, maximum=30.0, example=example)


PROBLEM = Problem(
    name="iris",
    features=(
        _length("sepal_length", "length of a sepal", 5.1),
        _length("sepal_width", "width of a sepal", 3.5),
        _length("petal_length", "length of a petal", 1.4),
        _length("petal_width", "width of a petal", 0.2),
    ),
    target=Target("class", ("Iris-setosa", "Iris-versicolor", "Iris-virginica")),
    load=load,
    candidates=candidates,
    continue_training=continue_training,
    refit=refit,
)
