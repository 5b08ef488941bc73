"""Records the ground truth of a prediction, which the prediction log may not have written yet."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from fastapi.exceptions import RequestValidationError

from api.inference.prediction_log import PredictionLog
from api.model.follower import ServedVersion
from common.problem import Problem
from common.store import Store, StoreError
from common.store.feedback import UnknownPredictionError
from common.store.threads import StoreThreads

FLUSH_SECONDS = 5.0
# How late the log of another process of the service may be.
BEHIND = timedelta(seconds=2)
LOOK_SECONDS = 0.1


async def record_feedback(
    prediction_id: UUID, record: Callable[[Store], None], store: StoreThreads, log: PredictionLog
) -> None:
    """Record a ground truth, even if the log has not written its prediction yet.

    Args:
        prediction_id: the prediction.
        record: writes the ground truth; it runs in a thread, and again after the log was flushed.
        store: runs `record`.
        log: the prediction log of this process.

    Raises:
        UnknownPredictionError: no log has the prediction.
        ContradictionError: `record` raises it.
        StoreError: the store does not answer.
    """
    deadline = time.monotonic() + BEHIND.total_seconds()
    flushed = False
    while True:
        try:
            return await store.write(record)
        except UnknownPredictionError:
            if flushed and (time.monotonic() > deadline or not is_fresh(prediction_id)):
                raise
        if flushed:
            await asyncio.sleep(LOOK_SECONDS)
        elif not await store.write(lambda _: log.flush(FLUSH_SECONDS)):
            raise StoreError("the prediction log is behind")
        flushed = True


def is_fresh(prediction_id: UUID) -> bool:
    """Return whether an id is so new that the log of another process may not have written its prediction yet.

    The first 48 bits of a UUIDv7 are its moment in milliseconds (RFC 9562, section 5.7).
    """
    made = (prediction_id.int >> 80) / 1e3
    return prediction_id.version == 7 and abs(time.time() - made) < BEHIND.total_seconds()  # noqa: PLR2004  # UUIDv7


def check_class(class_name: str, served: ServedVersion | None, problem: Problem) -> None:
    """Raise a validation error for a class that neither the served model nor, without one, the problem has."""
    known = served.model.classes if served else problem.target.classes
    if class_name not in known:
        message = f"unknown class; known are {', '.join(known)}"
        raise RequestValidationError([{"loc": ("body", "class_name"), "msg": message}])
