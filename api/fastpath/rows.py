"""Single rows for `POST /predict`: one run of the model answers all rows of one turn of the event loop."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ValidationError

from api.fastpath.answer_json import answer_json
from api.fastpath.routes import PendingReply, Reply, headers_of
from api.inference.predictor import Predictor
from api.model.follower import ChampionFollower
from api.schemas.requests import instance_model, row_reader
from common.problem import Problem, Value

ROWS_PER_RUN = 256


class RowAnswers:
    """Answers rows that arrive in the same turn of the event loop by one run of the model.

    A run costs about as much for sixteen rows as for one. No row waits for others to arrive: a run takes the rows that
    are there when the turn ends.
    """

    def __init__(self, problem: Problem, champion: ChampionFollower, predictor: Predictor) -> None:
        """Answer rows of `problem` by `champion` through `predictor`."""
        # pydantic's own parser decodes and validates in one step, by the same rules as FastAPI's route.
        self._validate: Callable[[bytes], BaseModel] = instance_model(problem).__pydantic_validator__.validate_json
        self._features = row_reader(problem)
        self._champion = champion
        self._predictor = predictor
        self._waiting: deque[tuple[Sequence[Value], PendingReply]] = deque()

    def answer(self, body: bytes) -> PendingReply | None:
        """Return the future reply to a body; None at once if the body is no valid row."""
        try:
            row = self._features(self._validate(body))
        except ValidationError:
            return None
        loop = asyncio.get_running_loop()
        if not self._waiting:
            # One turn is left out, so that the run includes rows that other connections are still reading.
            loop.call_soon(loop.call_soon, self._run)
        reply: PendingReply = loop.create_future()
        self._waiting.append((row, reply))
        return reply

    def _run(self) -> None:
        waiting = [self._waiting.popleft() for _ in range(min(len(self._waiting), ROWS_PER_RUN))]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._run)
        for (_, future), reply in zip(waiting, self._replies([row for row, _ in waiting]), strict=True):
            if not future.done():  # uvicorn cancels it when the service stops and cannot wait any longer
                future.set_result(reply)

    def _replies(self, rows: Sequence[Sequence[Value]]) -> Sequence[Reply | None]:
        # The version is read once, so that it is the same for all rows.
        served = self._champion.current
        if served is None:
            return [None] * len(rows)
        try:
            batch = self._predictor.predict(served, rows)
            headers = headers_of(batch)
            return [(content, headers) for content in answer_json(served).rows(batch)]
        except Exception:  # noqa: BLE001  # FastAPI's route meets the error again for each row, and reports it
            return [None] * len(rows)
