"""Mixed load: clients predict, tell, correct, ask and look at pages, and remember what was acknowledged."""

import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from tests.soak.answers import LOOK, MESSAGE, NO_ANSWER, PREDICTION, Request

ROWS = ((5.1, 3.5, 1.4, 0.2), (5.7, 2.8, 4.1, 1.3), (6.3, 3.3, 6.0, 2.5))
NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
CLASSES = ("Iris-setosa", "Iris-versicolor", "Iris-virginica")
PAUSE = 0.05  # seconds between two requests of a client
EVERY = {"feedback": 3, "correction": 60, "statistics": 20, "page": 40}
# Under faults there are many corrections, so that one is always on its way. Ten versions a minute are no usual life: in
# the calm afterwards, which shows growth, corrections come this many times more rarely.
RARER = 10


@dataclass
class Acknowledgements:
    """All that the api has acknowledged to one client, with the moment of the answer."""

    predictions: dict[str, float] = field(default_factory=dict)
    truths: dict[str, str] = field(default_factory=dict)
    corrections: dict[str, tuple[list[float], str]] = field(default_factory=dict)  # the values and the class, by the id
    requests: list[Request] = field(default_factory=list)


class Client(threading.Thread):
    """A client of the api and of the monitor, from `start` to `over`; it corrects more rarely from `calm` on."""

    def __init__(self, api: str, monitor: str, seed: int, calm: threading.Event, over: threading.Event) -> None:
        """Prepare it; its rows and choices follow from `seed`."""
        super().__init__(name=f"client {seed}")
        self._api = httpx.Client(base_url=api, timeout=10.0)
        self._monitor = httpx.Client(base_url=monitor, timeout=10.0)
        self._random = random.Random(seed)  # noqa: S311  # no secret
        self._calm, self._over = calm, over
        self.seen = Acknowledgements()

    def run(self) -> None:
        """Send requests until the end."""
        known: list[tuple[str, str]] = []
        number = self._random.randrange(60)
        with self._api, self._monitor:
            while not self._over.wait(PAUSE):
                number += 1
                self._predict(known)
                if number % EVERY["feedback"] == 0 and known:
                    self._tell(*known.pop(0))
                if number % (EVERY["correction"] * (RARER if self._calm.is_set() else 1)) == 0:
                    self._correct()
                if number % EVERY["statistics"] == 0:
                    self._ask(LOOK, self._api, "GET", "/models")
                if number % EVERY["page"] == 0:
                    self._ask(LOOK, self._monitor, "GET", "/")

    def _row(self) -> tuple[list[float], str]:
        place = self._random.randrange(len(ROWS))
        return [round(value + self._random.gauss(0, 0.05), 3) for value in ROWS[place]], CLASSES[place]

    def _predict(self, known: list[tuple[str, str]]) -> None:
        row, name = self._row()
        if found := self._ask(PREDICTION, self._api, "POST", "/predict", {"data": [row]}):
            [answer] = found.json()["predictions"]
            self.seen.predictions[answer["prediction_id"]] = time.time()
            known.append((answer["prediction_id"], name))
            del known[:-100]

    def _tell(self, prediction_id: str, name: str) -> None:
        body = {"prediction_id": prediction_id, "class_name": name}
        if self._ask(MESSAGE, self._api, "POST", "/feedback", body):
            self.seen.truths[prediction_id] = name

    def _correct(self) -> None:
        row, name = self._row()
        body = {**dict(zip(NAMES, row, strict=True)), "class_name": name}
        if found := self._ask(MESSAGE, self._api, "POST", "/suggest", body):
            self.seen.corrections[found.json()["suggestion_id"]] = row, name

    def _ask(
        self, kind: str, client: httpx.Client, method: str, path: str, body: object = None
    ) -> httpx.Response | None:
        at, outcome = time.time(), NO_ANSWER
        try:
            with suppress(httpx.TransportError):
                answer = client.request(method, path, json=body)
                outcome = str(answer.status_code)
                return answer if answer.is_success else None
            return None
        finally:
            self.seen.requests.append(Request(at, time.time(), kind, outcome))
