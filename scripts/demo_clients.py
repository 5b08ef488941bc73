"""The clients of the demo: they send rows, check some of the answers, and tell the ground truth of all others."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, Self

import httpx

from common.problem import Problem, Table, Value
from common.settings import Settings
from scripts.demo_steps import PATIENCE, DemoError
from scripts.parts import wait_for
from scripts.traffic import api_address, key_header
from scripts.traffic_rows import RowSource, Traffic

BURST_SECONDS = 0.25
FEW, SOME, MANY = 3, 6, 15  # rows in a burst
NEWEST = 60  # rows that the accuracy of a version is measured on
LIAR_FROM = 1_000_000  # number of the first row that a liar draws: clients never come so far
OTHERS_FROM = 2_000_000  # number of the first row of `others`
TRAFFIC = Traffic(rate=1, noise=0.05, labels=1.0, wrong_labels=0.0, outliers=0.0, seed=42)


@dataclass(frozen=True)
class Answered:
    """A row that was answered: the second of the demo, the version, and whether it was right."""

    second: float
    version: int
    is_right: bool


class Clients:
    """A thread that sends bursts of rows to the api, and the ground truths of its last burst.

    Attributes:
        rows_in_burst: how many rows the clients send every `BURST_SECONDS`.
        most: at which number of rows the clients stop sending.
        factors: by which the features of the rows are multiplied, by name: the world may change.
        answered: all rows that were answered, oldest first.
    """

    def __init__(self, problem: Problem, settings: Settings, rows: Table, now: Callable[[], float]) -> None:
        """Draw from `rows` of `problem`; `now` returns the second of the demo."""
        self.rows_in_burst = FEW
        self.most = math.inf
        self.factors: Mapping[str, float] = {}
        self.answered: list[Answered] = []
        self._source = RowSource(TRAFFIC, problem, rows)
        self._api = httpx.Client(base_url=api_address(settings), headers=key_header(settings), timeout=10.0)
        self._now = now
        self._sent = 0
        self._truths: list[dict[str, str]] = []
        self._checked: dict[bool, list[dict[str, Any]]] = {True: [], False: []}  # by whether the answer was right
        self._to_check = {True: 0, False: 0}
        self._failure: httpx.HTTPError | None = None
        self._stopping = threading.Event()
        self._idle = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clients")

    def __enter__(self) -> Self:
        """Begin to send."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop sending."""
        self._stopping.set()
        self._thread.join()
        self._api.close()
        self._raise()

    def check(self, mistakes: int, confirmed: int) -> None:
        """Let people look at every second answer until they have found so many wrong and so many right ones."""
        self._to_check = {False: mistakes, True: confirmed}

    def corrections(self) -> list[dict[str, Any]] | None:
        """Return the checked rows with their right classes, as `POST /suggest` takes them; None until all are found.

        Raises:
            DemoError: a client got no answer, or an error.
        """
        self._raise()
        if any(self._to_check.values()):
            return None
        return [*self._checked[False], *self._checked[True]]

    def pause(self) -> None:
        """Send no more rows until `most` is set again; return when the last ground truths are told.

        Raises:
            DemoError: a client got no answer, or an error.
        """
        self._idle.clear()
        self.most = 0
        wait_for("the last ground truths", lambda: self._failure or self._idle.is_set(), PATIENCE)
        self._raise()

    def share_of_right(self, version: int | None) -> float:
        """Return the accuracy of a version on the newest rows that it has answered; 1 if it has answered none."""
        rows = [each.is_right for each in self.answered if each.version == version][-NEWEST:]
        return sum(rows) / len(rows) if rows else 1.0

    def others(self, number: int) -> list[tuple[dict[str, Value], str]]:
        """Return rows with their classes that are like those of the clients, and that no client sends."""
        return [self._row(OTHERS_FROM + each) for each in range(number)]

    def lies(self, number: int, about: str, claimed: str) -> list[dict[str, Any]]:
        """Return rows of a class with another class, as a liar would send them to `POST /suggest`."""
        drawn = map(self._row, count(LIAR_FROM))
        its = islice((features for features, label in drawn if label == about), number)
        return [{**features, "class_name": claimed} for features in its]

    def _raise(self) -> None:
        if self._failure:
            raise DemoError(f"a client got no answer: {self._failure}") from self._failure

    def _run(self) -> None:
        try:
            while not self._stopping.wait(BURST_SECONDS):
                self._burst()
        except httpx.HTTPError as error:  # the main thread raises it
            self._failure = error

    def _burst(self) -> None:
        for each in self._truths:
            self._api.post("/feedback", json=each).raise_for_status()
        self._truths = []
        rows = [self._row(self._sent + each) for each in range(self.rows_in_burst) if self._sent + each < self.most]
        if not rows:
            self._idle.set()
            return
        data = [list(features.values()) for features, _ in rows]
        answers = self._api.post("/predict", json={"data": data}).raise_for_status().json()["predictions"]
        for (features, label), answer in zip(rows, answers, strict=True):
            is_right = answer["class_name"] == label
            self.answered.append(Answered(self._now(), answer["model_version"], is_right))
            truth = {"prediction_id": answer["prediction_id"], "class_name": label}
            # Versions learn what was checked, so its ground truth is no evidence for them. Half of the answers are
            # never checked, whether right or wrong: a gate that saw the right ones alone would see no change.
            if self._sent % 2 and self._to_check[is_right]:
                self._to_check[is_right] -= 1
                self._checked[is_right].append({**features, **truth})
            else:
                self._truths.append(truth)
            self._sent += 1

    def _row(self, number: int) -> tuple[dict[str, Value], str]:
        row = self._source.at(number)
        assert row.label is not None  # noqa: S101  # each row of this traffic has its class
        return {name: _times(value, self.factors.get(name)) for name, value in row.features.items()}, row.label


def _times(value: Value, factor: float | None) -> Value:
    return value if factor is None or isinstance(value, str) else round(value * factor, 3)


def seconds_since(start: float) -> Callable[[], float]:
    """Return a clock of the seconds since `start`, which is a moment of `time.monotonic`."""
    return lambda: time.monotonic() - start
