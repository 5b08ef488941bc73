"""A large window: read from the store, evaluated and kept, against reading its rows alone."""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from statistics import median

import numpy as np

from benchmarks.harness import lab
from benchmarks.harness.report import Claim, Report, ratio, seconds, wanted
from benchmarks.harness.timing import seconds_of
from benchmarks.more.writer import Place, postgresql, sqlite
from common.bundle.export import export_tested
from common.bundle.model import OnnxModel
from common.problem import Problem, Rows, as_float32, get_problem
from common.store import Store
from common.store.monitoring.window_rows import Answer
from common.store.monitoring.windows import WindowRecord
from common.store.predictions import PredictionRow
from monitor.follow_registry import Reference, read_reference
from monitor.statistics.breaches import ALL_KINDS, breaches
from monitor.statistics.window import evaluate

ROWS = 60_000
ROUNDS = 5
LENGTH = timedelta(minutes=5)
LIMIT = 2.0  # seconds
PROBLEMS = ("iris", "breast_cancer")
TEXT = (
    "60 000 predictions of five minutes, 200 a second, drawn from the problem's data. *Reading* is the store's answers "
    "alone; *all of it* is what the monitor does with a window: reading, evaluating against the reference (means, "
    "shares, distributions, drift), settling alerts, keeping the window. The ratio is that of all of it to reading. In "
    f"turn, {ROUNDS} times; medians."
)


def measure() -> Report:
    """Evaluate the same window over and over, on SQLite and on PostgreSQL."""
    rows, slowest = [], 0.0
    with lab.lab() as settings, ExitStack() as stack:
        places = [stack.enter_context(sqlite(settings.lab_home)), stack.enter_context(postgresql())]
        for problem in map(get_problem, PROBLEMS):
            reference, predictions = prepared(problem)
            for place in places:
                lab.say(f"{problem.name} on {place.name}")
                place.store.predictions.write(predictions)
                reading, everything = timed(problem, place, reference, predictions[0]["predicted_at"])
                rows.append(_row(problem, place, reading, everything))
                slowest = max(slowest, everything)
    header = ("", "features", "reading", "all of it", "rows/s", "ratio", f"under {LIMIT:.0f} s")
    what, limit = "evaluating a window of 60 000 rows, the slowest", f"under {LIMIT:.0f} s"
    claim = Claim(what, seconds(slowest), "", "", limit, met=slowest < LIMIT)
    return Report("A window of 60 000 rows", TEXT, header, rows, [claim])


def _row(problem: Problem, place: Place, reading: float, everything: float) -> tuple[str, ...]:
    return (
        f"{problem.name}, {place.name}",
        str(len(problem.features)),
        seconds(reading),
        seconds(everything),
        f"{ROWS / everything:.0f}",
        ratio(everything, reading),
        wanted("wanted", met=everything < LIMIT),
    )


def timed(problem: Problem, place: Place, reference: Reference, since: datetime) -> tuple[float, float]:
    """Return the seconds that reading takes, and those of everything."""
    store, answers = place.store, place.store.answers

    def read() -> Iterator[Answer]:
        return answers.between(problem.name, since, since + LENGTH, 2 * ROWS)

    reading, everything = [], []
    for _ in range(ROUNDS):
        reading.append(seconds_of(lambda: deque(read(), maxlen=0)))
        everything.append(seconds_of(lambda: keep(store, problem, reference, read(), since + LENGTH)))
    return median(reading), median(everything)


def keep(store: Store, problem: Problem, reference: Reference, answers: Iterator[Answer], ended_at: datetime) -> None:
    """Do with a window what the monitor does."""
    found = evaluate(answers, reference)
    if found.rows != ROWS:
        raise RuntimeError(f"{found.rows} rows were read, not {ROWS}")
    store.alerts.settle(problem.name, ALL_KINDS, breaches(found), ended_at)
    content = found.model_dump(mode="json")
    store.windows.write(
        WindowRecord(
            problem.name, problem.onnx_name, 1, ended_at - LENGTH, ended_at, found.rows, found.outliers, content
        )
    )


def prepared(problem: Problem) -> tuple[Reference, list[PredictionRow]]:
    """Return what a model carries that has learnt from all of a problem's data, and its answers."""
    data = problem.load(None)
    model = problem.candidates()[0].fit(data.X, data.y)
    bundle = OnnxModel(export_tested(model, problem, data, data).graph.SerializeToString())
    reference = read_reference(1, bundle.metadata)
    if reference is None:
        raise RuntimeError("the model tells no reference")
    drawn = np.random.default_rng(0).integers(len(data.y), size=ROWS)
    return reference, list(_answered(problem, bundle, data.X[drawn]))


def _answered(problem: Problem, bundle: OnnxModel, X: Rows) -> Iterator[PredictionRow]:
    probabilities = bundle.predict(as_float32(X)).probabilities
    if probabilities is None:
        raise RuntimeError("the model gives no probabilities")
    classes, began_at = problem.target.classes, datetime(2026, 3, 1, 12, tzinfo=UTC)
    for number, (features, shares) in enumerate(zip(X.tolist(), probabilities.tolist(), strict=True)):
        best = int(np.argmax(shares))
        yield PredictionRow(
            id=f"{problem.name} {number:08}",
            role="champion",
            problem=problem.name,
            model_name=problem.onnx_name,
            model_version=1,
            predicted_at=began_at + number * LENGTH / ROWS,
            features=dict(zip(problem.columns, features, strict=True)),
            class_name=classes[best],
            probabilities=dict(zip(classes, shares, strict=True)),
            confidence=shares[best],
            is_outlier=number % 50 == 0,
            outlier_score=0.1,
        )
