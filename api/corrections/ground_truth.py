"""Telling the store the truth about a prediction, which its writer may not have written yet."""

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
# How long the log of another api process may be behind.
BEHIND = timedelta(seconds=2)
LOOK_SECONDS = 0.1


async def tell(prediction_id: UUID, telling: Callable[[Store], None], store: StoreThreads, log: PredictionLog) -> None:
    """Run `telling`, in a thread; while it does not find the prediction, see that the log is written, and run it again.

    Raises:
        UnknownPredictionError: it is in no log.
        StoreError: the store does not answer.
    """
    deadline = time.monotonic() + BEHIND.total_seconds()
    flushed = False
    while True:
        try:
            return await store.write(telling)
        except UnknownPredictionError:
            if flushed and (time.monotonic() > deadline or not is_fresh(prediction_id)):
                raise
        if flushed:
            await asyncio.sleep(LOOK_SECONDS)
        elif not await store.write(lambda _: log.flush(FLUSH_SECONDS)):
            raise StoreError("the log of predictions is behind")
        flushed = True


def is_fresh(prediction_id: UUID) -> bool:
    """Return whether an id was made so shortly ago that another process may still have its prediction in hand.

    The first 48 bits of a UUIDv7 are its moment in milliseconds (RFC 9562, section 5.7).
    """
    made = (prediction_id.int >> 80) / 1e3
    return prediction_id.version == 7 and abs(time.time() - made) < BEHIND.total_seconds()  # noqa: PLR2004  # UUIDv7


def check_class(class_name: str, served: ServedVersion | None, problem: Problem) -> None:
    """Raise a validation error for a class that the served model does not know; without one, the problem."""
    known = served.model.classes if served else problem.target.classes
    if class_name not in known:
        message = f"unknown class; known are {', '.join(known)}"
        raise RequestValidationError([{"loc": ("body", "class_name"), "msg": message}])
