"""Asking a model as the service will ask it, before it serves."""

import time
from collections.abc import Sequence
from itertools import cycle, islice

from common.bundle.model import ModelError, OnnxModel
from common.problem import Rows, Value

SIZES = (1, 2, 64)  # rows in a run: one client's, those of two that come together, a batch
ATTEMPTS = 3  # a run may be slow because something else has the cores


def check_as_used(model: OnnxModel, sample: Sequence[Sequence[Value]], run_seconds: float) -> None:
    """Ask a model its golden rows, then 1, 2 and 64 rows: its golden ones, or those of `sample` if it has none.

    Args:
        model: the loaded model.
        sample: rows `[rows, features]` of the problem, one at least.
        run_seconds: how long the model may take for any of these, in seconds.

    Raises:
        ModelError: it answers wrongly, in another form, too slowly, or not at all.
    """
    if model.width not in (None, len(sample[0])):
        raise ModelError(f"the model takes {model.width} features, the problem has {len(sample[0])}")
    model.check_golden()
    golden = model.golden_rows
    if golden is not None and len(golden) > max(SIZES):
        raise ModelError(f"the file carries {len(golden)} golden rows, more than {max(SIZES)}")
    rows = sample if golden is None else golden.tolist()
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
        model.check_form(answer, len(X))
        if fastest <= run_seconds:
            return
    raise ModelError(f"{len(X)} rows take {fastest:.1f} s, more than MODEL_RUN_SECONDS, {run_seconds:g} s")
