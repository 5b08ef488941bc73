"""The answers in Seldon's form: data as the client asked, and in `meta.metrics` how often the champion was right."""

import asyncio
import time
from contextlib import suppress
from typing import Any

from api.inference.prediction_batch import PredictionBatch
from api.model.follower import ServedVersion
from api.protocols.seldon.bodies import Output, OutputNdarray, OutputTensor, SeldonTensor
from common.evaluate import classes_of, matrix_of, per_class
from common.problem import Problem
from common.settings import Settings
from common.store import Store, StoreError
from common.store.statistics import Span
from common.store.threads import StoreThreads

GAUGES = ("true_pos", "true_neg", "false_pos", "false_neg")
FRESH_SECONDS = 1.0
WAIT_SECONDS = 0.25


class SeldonAnswers:
    """Writes the answers of one application.

    The counts of a binary problem are of the served version as champion, from the store's roll-ups: the same in every
    worker, and after a restart. A prediction's are up to a second old. If the store does not answer within a quarter of
    a second, the answer has none.
    """

    def __init__(self, problem: Problem, settings: Settings, store: StoreThreads) -> None:
        """Answer as `settings` say, and read the counts from `store`."""
        self._problem = problem
        self._with_class = settings.seldon_answers == "class"
        self._store = store
        self._turn = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None
        self._number, self._read_at = 0, -FRESH_SECONDS
        self._gauges: list[dict[str, Any]] = []

    def output(self, answered: PredictionBatch, meta: dict[str, Any], *, as_tensor: bool) -> Output:
        """Return predictions, with probabilities if there are any and the setting does not ask for classes alone."""
        probabilities = answered.answer.probabilities
        values: Any = answered.answer.labels
        names: list[str] = []
        if probabilities is not None and not self._with_class:
            names, values = list(answered.served.model.classes), probabilities
        data: OutputNdarray | OutputTensor
        if as_tensor:
            tensor = SeldonTensor(shape=list(values.shape), values=values.ravel().tolist())
            data = OutputTensor(names=names, tensor=tensor)
        else:
            data = OutputNdarray(names=names, ndarray=values.tolist())
        tags = {"prediction_ids": answered.ids, "class_names": answered.class_names}
        return Output(data=data, meta=meta_of(answered) | meta | {"tags": tags})

    async def metrics(self, served: ServedVersion, *, now: bool = False) -> dict[str, Any]:
        """Return the metrics of `meta`, read `now` or up to a second ago; nothing unless there are two classes.

        The second class is the positive one, as in scikit-learn.
        """
        if len(served.model.classes) != 2:  # noqa: PLR2004  # the docstring says it
            return {}
        async with self._turn:
            stale = time.monotonic() - self._read_at > FRESH_SECONDS
            if now or stale or served.version.number != self._number:
                self._number, self._gauges = served.version.number, []
                # A call of the store that hangs is the only one, however many predictions come meanwhile.
                if self._reading is None or self._reading.done():
                    self._reading = asyncio.create_task(self._read(served))
                    await asyncio.wait({self._reading}, timeout=WAIT_SECONDS)
                self._read_at = time.monotonic()
            return {"metrics": self._gauges} if self._gauges else {}

    async def _read(self, served: ServedVersion) -> None:
        with suppress(StoreError):
            found = await self._store.read(lambda store: gauges(self._problem, store, served))
            if served.version.number == self._number:
                self._gauges = found


def gauges(problem: Problem, store: Store, served: ServedVersion) -> list[dict[str, Any]]:
    """Return the four counts of a version as champion, as `meta.metrics` has them; its second class is positive."""
    span = Span(problem.name, served.version.name, versions=(served.version.number,))
    labels = [each for each in store.statistics.label_sums(span) if each.role == "champion"]
    positive = per_class(matrix_of(labels, classes_of(served.model.classes, labels)))[1]
    return [{"key": name, "type": "GAUGE", "value": getattr(positive, name)} for name in GAUGES]


def meta_of(answered: PredictionBatch) -> dict[str, Any]:
    """Return the id of the first prediction, and the version that answered."""
    version = answered.served.version
    return {"puid": answered.ids[0], "requestPath": {version.name: str(version.number)}}
