"""Inference by the Open Inference Protocol: a body in, a body out, all by one version."""

import asyncio
from functools import partial
from typing import NamedTuple

from api.fastpath.routes import Answer, Headers, Reply
from api.http.large_bodies import LargeBatches, is_small
from api.inference.predictor import Predictor
from api.model.follower import ChampionFollower, ServedVersion
from api.protocols.oip.errors import PREFIX
from api.protocols.oip.read import Reader
from api.protocols.oip.types import JSON_LENGTH
from api.protocols.oip.write import encode, wanted_of
from common.problem import Problem
from common.store.tables import Role

LENGTH_HEADER = JSON_LENGTH.lower().encode()
JSON, BINARY = "application/json", "application/octet-stream"


class Asked(NamedTuple):
    """The version that is to answer, and its place."""

    served: ServedVersion
    role: Role


class Inferred(NamedTuple):
    """The body of an answer, and where its JSON ends if outputs follow it in binary; else None."""

    content: bytes
    json_length: int | None

    @property
    def headers(self) -> dict[str, str]:
        """What its client needs to know of the body."""
        if self.json_length is None:
            return {"content-type": JSON}
        return {"content-type": BINARY, LENGTH_HEADER.decode(): str(self.json_length)}


class Inference:
    """Answers requests; large ones beside the event loop, so that others need not wait."""

    def __init__(self, problem: Problem, predictor: Predictor, large: LargeBatches) -> None:
        """Answer requests about `problem` through `predictor`."""
        self._reader = Reader(problem)
        self._predictor = predictor
        self._large = large

    async def answer(self, asked: Asked, body: bytes, json_length: str | None) -> Inferred:
        """Return the answer to a body, whose JSON ends where a header says, if there is one.

        Raises:
            OipRequestError: the body is no request that can be answered.
        """
        return await self._large.do(partial(self.answer_small, asked, body, json_length), len(body))

    def answer_small(self, asked: Asked, body: bytes, json_length: str | None) -> Inferred:
        """Return what `answer` returns, at once."""
        request, rows = self._reader.read(body, json_length)
        wanted = wanted_of(request, asked.served.model)
        return Inferred(*encode(self._predictor.predict(asked.served, rows, asked.role), wanted, request.id))


class ShortInfer:
    """The short way for inference by the champion (`api/fastpath/routes.py`)."""

    def __init__(self, path: str, route: str, champion: ChampionFollower, inference: Inference) -> None:
        """Answer what comes to `path` by `champion` through `inference`."""
        self.path = path
        self.route = route
        self._champion = champion
        self._inference = inference

    def takes(self, headers: Headers) -> bool:  # noqa: ARG002  # others look at them
        """Return that every body is looked at, however it is declared."""
        return True

    def answer(self, headers: Headers, body: bytes) -> Answer | Reply | None:
        """Return the answer to a request; None for one that cannot be answered, since the route tells why."""
        served = self._champion.current
        if served is None:
            return None
        lengths = [value.decode("latin-1") for name, value in headers if name == LENGTH_HEADER]
        asked, length = Asked(served, "champion"), lengths[0] if lengths else None
        if not is_small(len(body)):
            return asyncio.ensure_future(self._large(asked, body, length))
        try:
            return _reply(self._inference.answer_small(asked, body, length))
        except Exception:  # noqa: BLE001  # the route meets it again, and tells it
            return None

    async def _large(self, asked: Asked, body: bytes, json_length: str | None) -> Reply | None:
        try:
            return _reply(await self._inference.answer(asked, body, json_length))
        except Exception:  # noqa: BLE001  # as above
            return None


def _reply(found: Inferred) -> Reply:
    return found.content, "".join(f"{name}: {value}\r\n" for name, value in found.headers.items()).encode()


def short_ways(problem: Problem, champion: ChampionFollower, inference: Inference) -> list[ShortInfer]:
    """Return the short ways."""
    path, route = (f"{PREFIX}/models/{name}/infer" for name in (problem.onnx_name, "{name}"))
    return [ShortInfer(each, route, champion, inference) for each in (path, f"{path}/")]
