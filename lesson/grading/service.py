"""The student's service, as its clients see it."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx

from lesson.grading.programs import HOST, Background, Programs, free_port, last_words
from lesson.grading.raw_data import FEATURES
from lesson.grading.scratch import Scratch

COUNTER = "predictions_total"
LABEL = "class_name"
SERIES = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)", re.MULTILINE)
LABELS = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
NOT_READY = 503
OK = 200


def body(features: Sequence[Any]) -> dict[str, Any]:
    """Return the JSON of a row."""
    return dict(zip(FEATURES, features, strict=True))


@dataclass
class StudentService:
    """A running service; every question has a time limit."""

    port: int
    client: httpx.Client
    program: Background

    def predict(self, features: Sequence[Any]) -> httpx.Response:
        """Ask for the class of a row.

        Raises:
            httpx.HTTPError: the service does not answer.
        """
        return self.client.post("/predict", json=body(features))

    def answer(self, features: Sequence[float]) -> object:
        """Return the class name that the service answers for a row, or what it answers in place of it."""
        try:
            response = self.predict(features)
        except httpx.HTTPError as error:
            return f"no answer ({type(error).__name__})"
        if response.status_code != OK:
            return f"status {response.status_code}"
        with suppress(ValueError, KeyError, TypeError):
            return response.json()["class_name"]
        return f"{response.text[:80]} without class_name"

    def complaint(self) -> str:
        """Return the last line that the service has printed beside uvicorn's own reports; empty if there is none."""
        lines = [line for line in self.program.output().splitlines() if line.strip() and not line.startswith("INFO:")]
        return last_words(lines[-1]) if lines else ""

    def is_ready(self) -> bool:
        """Return whether the service answers at all."""
        with suppress(httpx.HTTPError):
            self.client.get("/openapi.json", timeout=2.0)
            return True
        return False

    def has_version(self, features: Sequence[float]) -> bool:
        """Return whether the service no longer says that it has no version yet."""
        with suppress(httpx.HTTPError):
            return self.predict(features).status_code != NOT_READY
        return False

    def counts(self) -> "Counted | None":
        """Return what the counter says; None if there is no such counter."""
        response = self.client.get("/metrics", follow_redirects=True)
        if response.status_code != OK:
            return None
        found = [each for each in SERIES.finditer(response.text) if each["name"] == COUNTER]
        labels = [dict(LABELS.findall(each["labels"] or "")) for each in found]
        values = [float(each["value"]) for each in found]
        by_class: Counter[str] = Counter()
        for each, value in zip(labels, values, strict=True):
            by_class[each.get(LABEL, "")] += int(value)
        return Counted(by_class, sorted({name for each in labels for name in each}), bool(found))


@dataclass(frozen=True)
class Counted:
    """Values of the counter by class name, the names of its labels, and whether it has a series."""

    by_class: Counter[str]
    labels: list[str]
    exists: bool


@contextmanager
def student_service(scratch: Scratch, programs: Programs, mlflow: str, prefect: str) -> Iterator[StudentService]:
    """Start the student's service on a free port; it may not answer yet."""
    port = free_port()
    command = [str(scratch.python), "-m", "uvicorn", "api.api:app", "--host", HOST, "--port", str(port)]
    environment = {"MLFLOW_URL": mlflow, "PREFECT_API_URL": prefect}
    with (
        programs.background("the api", command, scratch.project, environment) as program,
        httpx.Client(base_url=f"http://{HOST}:{port}", timeout=programs.limits.answer, trust_env=False) as client,
    ):
        yield StudentService(port, client, program)
