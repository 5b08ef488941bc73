"""Inference by the Open Inference Protocol: from the body of a request to the body of the response."""

from functools import partial
from typing import NamedTuple

from api.http.large_bodies import OffloadLarge
from api.inference.predictor import Predictor
from api.model.follower import ServedVersion
from api.protocols.oip.read import Reader
from api.protocols.oip.types import JSON_LENGTH
from api.protocols.oip.write import encode, wanted_of
from common.problem import Problem
from common.store.tables import Role

JSON, BINARY = "application/json", "application/octet-stream"


class AskedVersion(NamedTuple):
    """The version that is to answer, and the role in which it does."""

    served: ServedVersion
    role: Role


class Inferred(NamedTuple):
    """The body of a response, and the length of its JSON if binary outputs follow; else None."""

    content: bytes
    json_length: int | None

    @property
    def headers(self) -> dict[str, str]:
        """The headers that describe the body, with their names in small letters."""
        if self.json_length is None:
            return {"content-type": JSON}
        return {"content-type": BINARY, JSON_LENGTH.lower(): str(self.json_length)}


class Inference:
    """Answers requests; a large one in a thread, so that other requests need not wait for it."""

    def __init__(self, problem: Problem, predictor: Predictor, large: OffloadLarge) -> None:
        """Answer requests about `problem` through `predictor`."""
        self._reader = Reader(problem)
        self._predictor = predictor
        self._large = large

    async def answer(self, asked: AskedVersion, body: bytes, json_length: str | None) -> Inferred:
        """Return the response to a body. `json_length` is the header with the length of the body's JSON, if sent.

        Raises:
            OipRequestError: the body is no request that can be answered.
        """
        return await self._large.do(partial(self.answer_small, asked, body, json_length), len(body))

    def answer_small(self, asked: AskedVersion, body: bytes, json_length: str | None) -> Inferred:
        """Return what `answer` returns, at once."""
        request, rows = self._reader.read(body, json_length)
        wanted = wanted_of(request, asked.served.model)
        return Inferred(*encode(self._predictor.predict(asked.served, rows, asked.role), wanted, request.id))
