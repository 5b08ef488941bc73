"""The fast route for `POST /predict`: it sends each body to `rows.py` or to `batches.py`."""

import asyncio

from api.fastpath.batches import BatchAnswers, is_batch
from api.fastpath.routes import Headers, PendingReply, Reply
from api.fastpath.rows import RowAnswers
from api.guards.json_bodies import CONTAINER, KEY, VALUE, weight
from api.http.large_bodies import is_small
from common.problem import Problem

PATH = "/predict"
# In exactly this spelling, which clients use; FastAPI's route understands the others.
JSON = (b"content-type", b"application/json")
MAX_ROW_BYTES = 64 * 1024  # a larger body is no row
# Up to this size pydantic quickly refuses a body that is no row. It copies the body for each field that is missing.
SHORT_ROW_BYTES = 2 * 1024


class PredictRoute:
    """The fast route for rows and batches."""

    path = handler = PATH

    def __init__(self, problem: Problem, rows: RowAnswers, batches: BatchAnswers) -> None:
        """Answer rows by `rows` and batches by `batches`."""
        self._rows = rows
        self._batches = batches
        # Twice the weight of a row that is given by its fields.
        self._row_weight = 2 * (CONTAINER + len(problem.features) * (VALUE + KEY))

    def accepts(self, headers: Headers) -> bool:
        """Return whether the headers declare the body as JSON."""
        return JSON in headers

    def answer(self, headers: Headers, body: bytes) -> PendingReply | Reply | None:  # noqa: ARG002  # as FastRoute
        """Return the reply to a row or to a batch."""
        # The beginning of a body is enough to tell the two apart. pydantic would take milliseconds to refuse a batch.
        if not is_batch(body):
            return self._rows.answer(body) if len(body) <= SHORT_ROW_BYTES or self._is_row(body) else None
        if not is_small(len(body)):
            return asyncio.ensure_future(self._batches.answer_large(body))
        # At once, so that each reply is sent while it is still in the processor's cache.
        return self._batches.answer(body)

    def _is_row(self, body: bytes) -> bool:
        return len(body) <= MAX_ROW_BYTES and weight(body) <= self._row_weight
