"""Asks a model as the service will ask it: its golden rows, and runs of several sizes with a limit of time."""

import time
from collections.abc import Sequence
from itertools import cycle, islice

from common.bundle.model import ModelError, OnnxModel
from common.problem import Rows, Value

SIZES = (1, 2, 64)  # rows in a run: one request, two that come together, a batch
ATTEMPTS = 3  # because a run may be slow when other processes occupy the cores


def check_as_used(model: OnnxModel, sample: Sequence[Sequence[Value]], run_seconds: float) -> None:
    """Ask a model its golden rows, then 1, 2 and 64 rows made from them, or from `sample` if it has none.

    Args:
        model: the loaded model.
        sample: rows `[rows, features]` of the problem, one at least.
        run_seconds: the limit of time for each run, in seconds.

    Raises:
        ModelError: an answer is wrong, has another form, takes too long, or does not come.
    """
    if model.width not in (None, len(sample[0])):
        raise ModelError(f"the model takes {model.width} features, the problem has {len(sample[0])}")
    model.check_golden()
    golden = model.golden()
    rows = golden[0].tolist() if golden else sample
    if len(rows) > max(SIZES):
        raise ModelError(f"the file has {len(rows)} golden rows, more than {max(SIZES)}")
    for size in SIZES:
        _check_size(model, model.as_rows(list(islice(cycle(rows), size))), run_seconds)


def _check_size(model: OnnxModel, X: Rows, run_seconds: float) -> None:
    fastest = float("inf")
    for _ in range(ATTEMPTS):
        start = time.perf_counter()
        try:
            answer = model.predict(X)
        except Exception as error:  # onnxruntime's exceptions have no common base of their own
            raise ModelError(f"the model cannot answer {len(X)} rows: {error}") from error
        fastest = min(fastest, time.perf_counter() - start)
        answer.check_form(len(X), model.classes)
        if fastest <= run_seconds:
            return
    raise ModelError(f"{len(X)} rows take {fastest:.1f} s, more than MODEL_RUN_SECONDS, {run_seconds:g} s")
