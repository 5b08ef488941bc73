"""One candidate: fitted, and asked about rows that it has not seen; the same to the last bit in whichever process.

All that a process has to import which fits for another: it does without MLflow and ONNX.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from threading import Lock

import numpy as np

from common.problem import Classifier, Ints, Rows, Table, as_float32, probabilities_of
from common.settings import PROJECT

# A Dask worker may have several threads; how many of them BLAS takes is one number for the process.
_ALONE = Lock()


@dataclass(frozen=True)
class Fitted:
    """A fitted model, and how it did on the validation rows."""

    model: Classifier
    metrics: Mapping[str, float]


def fit_and_score(fit: Callable[[Rows, Ints], Classifier], fitting: Table, validation: Table) -> Fitted:
    """Fit one candidate and see how it does on the validation rows, in single precision, as the service has them."""
    from sklearn.metrics import log_loss
    from threadpoolctl import threadpool_limits

    # A sum that two threads share is rounded otherwise than one thread's, and processes differ in how many they take.
    with _ALONE, threadpool_limits(1):
        # Rows of its own: a fit that changed them would change what the next candidate learns, in this process alone.
        model = fit(np.array(fitting.X), np.array(fitting.y))
        rows = as_float32(validation.X)
        metrics = {"val_accuracy": float((model.predict(rows) == validation.y).mean())}
        if (probabilities := probabilities_of(model, rows)) is not None:
            metrics["val_log_loss"] = log_loss(validation.y, probabilities, labels=range(probabilities.shape[1]))
    return Fitted(model, metrics)


@cache
def code_hash() -> str:
    """Return a hash of the project's code as it was when this process was first asked: what it has loaded, it keeps."""
    found = hashlib.sha256()
    for folder in ("common", "problems", "training"):
        for file in sorted((PROJECT / folder).rglob("*.py")):
            found.update(f"{file.relative_to(PROJECT)}\n".encode() + file.read_bytes())
    return found.hexdigest()
