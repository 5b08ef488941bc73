"""A large window: reading, evaluating and storing it, against reading its rows alone."""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from statistics import median

import numpy as np

from benchmarks.harness import lab
from benchmarks.harness.databases import DatabasePair, postgresql, sqlite
from benchmarks.harness.report import Claim, Report, ratio, seconds
from benchmarks.harness.rows import prediction_row
from benchmarks.harness.timing import seconds_of
from common.bundle.export import export_tested
from common.bundle.model import OnnxModel
from common.problem import Problem, Rows, as_float32, get_problem
from common.store import Store
from common.store.monitoring.window_rows import WindowRow
from common.store.monitoring.windows import WindowRecord
from common.store.predictions import PredictionRow
from monitor.statistics.breaches import ALL_KINDS, breaches
from monitor.statistics.reference import Reference, read_reference
from monitor.statistics.window import evaluate

ROWS = 60_000
ROUNDS = 5
LENGTH = timedelta(minutes=5)
LIMIT = 2.0  # seconds
PROBLEMS = ("iris", "breast_cancer")
TEXT = (
    "The window holds 60 000 predictions of five minutes, 200 a second, drawn from the problem's data. *Reading* is "
    "the time to read the predictions from the store. *Total* is the time of all that the monitor does with a window: "
    "it reads the predictions, compares them with the reference (means, shares, distributions, drift), opens and "
    "closes alerts, and stores the window. The ratio is that of total to reading. The figures are medians of "
    f"{ROUNDS}, measured in turn."
)


def measure() -> Report:
    """Evaluate the same window several times, on SQLite and on PostgreSQL."""
    rows, slowest = [], 0.0
    with lab.lab() as settings, ExitStack() as stack:
        pairs = [stack.enter_context(sqlite(settings.lab_home)), stack.enter_context(postgresql())]
        for problem in map(get_problem, PROBLEMS):
            reference, predictions = prepared(problem)
            for pair in pairs:
                lab.say(f"{problem.name} on {pair.name}")
                pair.store.predictions.write(predictions)
                reading, everything = timed(problem, pair, reference, predictions[0]["predicted_at"])
                rows.append(_row(problem, pair, reading, everything))
                slowest = max(slowest, everything)
    header = ("", "features", "reading", "total", "rows/s", "ratio", f"under {LIMIT:.0f} s")
    what, limit = "evaluating a window of 60 000 rows, the slowest", f"under {LIMIT:.0f} s"
    claim = Claim(what, seconds(slowest), "", "", limit, met=slowest < LIMIT)
    return Report("A window of 60 000 rows", TEXT, header, rows, [claim])


def _row(problem: Problem, pair: DatabasePair, reading: float, everything: float) -> tuple[str, ...]:
    return (
        f"{problem.name}, {pair.name}",
        str(len(problem.features)),
        seconds(reading),
        seconds(everything),
        f"{ROWS / everything:.0f}",
        ratio(everything, reading),
        "yes" if everything < LIMIT else "**no**",
    )


def timed(problem: Problem, pair: DatabasePair, reference: Reference, since: datetime) -> tuple[float, float]:
    """Return the median seconds of reading, and of all work on the window."""
    store, answers = pair.store, pair.store.window_rows

    def read() -> Iterator[WindowRow]:
        return answers.between(problem.name, since, since + LENGTH, 2 * ROWS)

    reading, everything = [], []
    for _ in range(ROUNDS):
        reading.append(seconds_of(lambda: deque(read(), maxlen=0)))
        everything.append(seconds_of(lambda: keep(store, problem, reference, read(), since + LENGTH)))
    return median(reading), median(everything)


def keep(
    store: Store, problem: Problem, reference: Reference, answers: Iterator[WindowRow], ended_at: datetime
) -> None:
    """Evaluate a window, settle its alerts and store it, as the monitor does."""
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
    """Fit a model to all data of a problem; return the reference in its bundle, and its answers to drawn rows."""
    data = problem.load(None)
    model = problem.candidates()[0].fit(data.X, data.y)
    bundle = OnnxModel(export_tested(model, problem, data, data).graph.SerializeToString())
    reference = read_reference(1, bundle.metadata)
    if reference is None:
        raise RuntimeError("the bundle holds no reference")
    drawn = np.random.default_rng(0).integers(len(data.y), size=ROWS)
    return reference, list(_answered(problem, bundle, data.X[drawn]))


def _answered(problem: Problem, bundle: OnnxModel, X: Rows) -> Iterator[PredictionRow]:
    probabilities = bundle.predict(as_float32(X)).probabilities
    if probabilities is None:
        raise RuntimeError("the model gives no probabilities")
    classes, began_at = problem.target.classes, datetime(2026, 3, 1, 12, tzinfo=UTC)
    for number, (features, shares) in enumerate(zip(X.tolist(), probabilities.tolist(), strict=True)):
        best = int(np.argmax(shares))
        yield prediction_row(
            problem,
            id=f"{problem.name} {number:08}",
            predicted_at=began_at + number * LENGTH / ROWS,
            features=dict(zip(problem.columns, features, strict=True)),
            class_name=classes[best],
            probabilities=dict(zip(classes, shares, strict=True)),
            confidence=shares[best],
            is_outlier=number % 50 == 0,
            outlier_score=0.1,
        )
