"""The route for inferences by the champion that the fast path, if there is one, asks before FastAPI.

`InferRoute` has the form of a `FastRoute`, without an import of `api/fastpath`, so that each room can be deleted alone.
"""

import asyncio
from collections.abc import Sequence

from api.http.large_bodies import is_small
from api.model.follower import ChampionFollower
from api.protocols.oip.errors import PREFIX
from api.protocols.oip.infer import AskedVersion, Inference, Inferred
from api.protocols.oip.types import JSON_LENGTH
from common.problem import Problem

Headers = Sequence[tuple[bytes, bytes]]
Reply = tuple[bytes, bytes]  # the body, and the header lines that describe it

LENGTH_HEADER = JSON_LENGTH.lower().encode()


class InferRoute:
    """The fast route for the inferences of one path."""

    def __init__(self, path: str, handler: str, champion: ChampionFollower, inference: Inference) -> None:
        """Answer requests to `path` by `champion` through `inference`."""
        self.path = path
        self.handler = handler
        self._champion = champion
        self._inference = inference

    def accepts(self, headers: Headers) -> bool:  # noqa: ARG002  # as FastRoute
        """Return True: clients of this protocol declare their bodies as anything."""
        return True

    def answer(self, headers: Headers, body: bytes) -> asyncio.Future[Reply | None] | Reply | None:
        """Return the reply to a request; None for a mistake, which FastAPI's route explains."""
        served = self._champion.current
        if served is None:
            return None
        lengths = [value.decode("latin-1") for name, value in headers if name == LENGTH_HEADER]
        asked, length = AskedVersion(served, "champion"), lengths[0] if lengths else None
        if not is_small(len(body)):
            return asyncio.ensure_future(self._large(asked, body, length))
        try:
            return _reply(self._inference.answer_small(asked, body, length))
        except Exception:  # noqa: BLE001  # FastAPI's route meets the error again, and reports it
            return None

    async def _large(self, asked: AskedVersion, body: bytes, json_length: str | None) -> Reply | None:
        try:
            return _reply(await self._inference.answer(asked, body, json_length))
        except Exception:  # noqa: BLE001  # as above
            return None


def _reply(found: Inferred) -> Reply:
    return found.content, "".join(f"{name}: {value}\r\n" for name, value in found.headers.items()).encode()


def infer_routes(problem: Problem, champion: ChampionFollower, inference: Inference) -> list[InferRoute]:
    """Return the routes for the path of an inference, with and without a slash at its end."""
    path, handler = (f"{PREFIX}/models/{name}/infer" for name in (problem.onnx_name, "{name}"))
    return [InferRoute(each, handler, champion, inference) for each in (path, f"{path}/")]
