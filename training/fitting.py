"""Fit one candidate and score it on validation rows, with the same result to the last bit in every process.

A process that fits for another one imports this module, so it needs neither MLflow nor ONNX.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from common.problem import Candidate, Classifier, Ints, Rows, Table, as_float32, probabilities_of

# A Dask worker may have several threads, and the number of BLAS threads is one setting for the whole process.
_ONE_FIT = Lock()


@dataclass(frozen=True)
class Fitted:
    """A fitted model, and its metrics on the validation rows."""

    model: Classifier
    metrics: Mapping[str, float]


# Fits the candidates on the first table, scores them on the second, and yields the results in the candidates' order.
FitAll = Callable[[Sequence[Candidate], Table, Table], Generator[Fitted, None, None]]


class WorkersError(RuntimeError):
    """The processes that should fit the candidates are missing or lost; the message is one line and says what to do."""


def one_after_the_other(
    candidates: Sequence[Candidate], fitting: Table, validation: Table
) -> Generator[Fitted, None, None]:
    """Fit the candidates in this process; yield each as soon as it is fitted."""
    for candidate in candidates:
        yield fit_and_score(candidate.fit, fitting, validation)


def fit_and_score(fit: Callable[[Rows, Ints], Classifier], fitting: Table, validation: Table) -> Fitted:
    """Fit one candidate and score it on the validation rows, in single precision, as the service will ask it."""
    from sklearn.metrics import log_loss
    from threadpoolctl import threadpool_limits

    # A sum shared by two threads is rounded differently than a sum by one, and processes differ in their threads.
    with _ONE_FIT, threadpool_limits(1):
        # A fit that changed its rows would change what the next candidate in this process learns: it gets a copy.
        model = fit(np.array(fitting.X), np.array(fitting.y))
        rows = as_float32(validation.X)
        metrics = {"val_accuracy": float((model.predict(rows) == validation.y).mean())}
        if (probabilities := probabilities_of(model, rows)) is not None:
            metrics["val_log_loss"] = log_loss(validation.y, probabilities, labels=range(probabilities.shape[1]))
    return Fitted(model, metrics)
