"""A replay of a million logged rows on another version: the time and the memory of the whole command."""

import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from onnx import ModelProto

from benchmarks.harness import lab
from benchmarks.harness.databases import postgresql, sqlite
from benchmarks.harness.registering import put
from benchmarks.harness.report import Claim, Report, ratio, seconds
from benchmarks.harness.rows import prediction_row
from common.bundle.export import export_onnx
from common.bundle.model import OnnxModel
from common.bundle.outliers import fit_outlier_scorer
from common.problem import Classifier, Problem, Table, as_float32, get_problem
from common.settings import PROJECT, Settings
from common.store import Store
from common.store.tables import feedback, predictions
from scripts.parts import part
from scripts.stack import process_environment

ROWS, FEW = 1_000_000, 10_000
BATCH = 5_000
LABELLED = 3  # each third row has a ground truth
DAY = datetime(2026, 3, 1, tzinfo=UTC)
MOST_SECONDS, MOST_GROWTH = 120.0, 1.5
EVERY = 0.02  # seconds from one look at the memory to the next
TEXT = (
    f"`python -m scripts.replay` asks a registered version {ROWS:,} rows of a day that another version answered, and "
    "writes the changed answers as CSV. A third of the rows has a ground truth. The time is that of the whole command, "
    "which also starts Python and fetches the version from MLflow; *core* is the time of all its threads. "
    "*Memory* is the largest resident memory of the "
    f"command, and the ratio is that to its memory for {FEW:,} rows of the same day. Measured once."
)
HEADER = ("", "features", "time", "core", "rows/s", "changed", "memory", "ratio", "under 2 min, ratio under 1.5")


@dataclass(frozen=True)
class Ended:
    """A command that has ended.

    Attributes:
        seconds: by the clock.
        core: the seconds of all its threads.
        megabytes: the largest resident memory.
        lines: of its CSV file, without the header.
    """

    seconds: float
    core: float
    megabytes: float
    lines: int


def measure() -> Report:
    """Replay the day of iris on SQLite and on PostgreSQL, and that of breast cancer on SQLite."""
    rows, met, slowest, most = [], True, 0.0, 0.0
    with lab.lab() as settings, part("mlflow", settings), ExitStack() as stack:
        small, large = sqlite(settings.lab_home), postgresql()
        stores = {pair.name: pair.store for pair in (stack.enter_context(small), stack.enter_context(large))}
        for name, database in (("iris", "SQLite"), ("iris", "PostgreSQL"), ("breast_cancer", "SQLite")):
            problem, store = get_problem(name), stores[database]
            lab.say(f"{name} on {database}: write {ROWS:,} rows")
            version = fill(store, problem, settings)
            lab.say("replay")
            few, whole = (replayed(settings, store, problem, version, count) for count in (FEW, ROWS))
            growth = whole.megabytes / few.megabytes
            fits = whole.seconds < MOST_SECONDS and growth < MOST_GROWTH
            met, slowest, most = met and fits, max(slowest, whole.seconds), max(most, growth)
            rows.append(
                (
                    f"{name}, {database}",
                    str(len(problem.features)),
                    seconds(whole.seconds),
                    seconds(whole.core),
                    f"{ROWS / whole.seconds:.0f}",
                    f"{whole.lines:,}",
                    f"{whole.megabytes:.0f} MB",
                    ratio(whole.megabytes, few.megabytes),
                    "both: yes" if fits else "**no**",
                )
            )
    what = f"a replay of {ROWS:,} logged rows, the slowest"
    claim = Claim(what, seconds(slowest), f"{most:.2f}", f"memory for {FEW:,} rows", HEADER[-1], met=met)
    return Report("A replay of a million rows", TEXT, HEADER, rows, [claim])


def fill(store: Store, problem: Problem, settings: Settings) -> int:
    """Write a day of answers of one model into the store, and register another model; return its number."""
    data, random = problem.load(None), np.random.default_rng(0)
    half = random.permutation(len(data.y))[: len(data.y) // 2]
    _, served = _fitted(problem, data, data)
    drawn = random.integers(len(data.y), size=ROWS)
    for start in range(0, ROWS, BATCH):
        places = drawn[start : start + BATCH]
        noise = random.normal(0, 0.1, (len(places), data.X.shape[1])) * data.X.std(axis=0)
        _write(store, problem, served, Table(data.X[places] + noise, data.y[places]), start)
    model, graph = _fitted(problem, Table(data.X[half], data.y[half]), data)
    return put(settings.model_copy(update={"problem": problem.name}), problem, model, graph)


def _fitted(problem: Problem, rows: Table, data: Table) -> tuple[Classifier, ModelProto]:
    model = problem.candidates()[0].fit(rows.X, rows.y)
    return model, export_onnx(model, problem, rows, fit_outlier_scorer(rows, data))


def _write(store: Store, problem: Problem, served: ModelProto, rows: Table, start: int) -> None:
    """Write rows with the answers of the served model, and ground truths of some of them."""
    bundle, classes = OnnxModel(served.SerializeToString()), problem.target.classes
    shares = bundle.predict(as_float32(rows.X)).probabilities
    if shares is None:
        raise RuntimeError("the model gives no probabilities")
    answers = [
        prediction_row(
            problem,
            id=f"{problem.name} {number:08}",
            predicted_at=DAY + number * timedelta(days=1) / ROWS,
            features=dict(zip(problem.columns, features, strict=True)),
            class_name=classes[int(np.argmax(row))],
            probabilities=dict(zip(classes, row, strict=True)),
            confidence=max(row),
        )
        for number, (features, row) in enumerate(zip(rows.X.tolist(), shares.tolist(), strict=True), start)
    ]
    known = range(0, len(answers), LABELLED)
    truths = [
        {"prediction_id": answers[place]["id"], "class_name": classes[rows.y[place]], "received_at": DAY}
        for place in known
    ]
    # Without the roll-ups, which no replay reads.
    with store._database.writing(durable=False) as connection:  # noqa: SLF001
        connection.execute(sa.insert(predictions), answers)
        connection.execute(sa.insert(feedback), truths)


def replayed(settings: Settings, store: Store, problem: Problem, version: int, rows: int) -> Ended:
    """Run the command for the first rows of the day."""
    until = DAY + timedelta(days=rows / ROWS)
    path = settings.lab_home / "changed.csv"
    span = ("--since", DAY.isoformat(), "--until", until.isoformat())
    url = store._database._engine.url.render_as_string(hide_password=False)  # noqa: SLF001
    options = (*span, "--version", str(version), "--problem", problem.name, "--csv", str(path))
    return _run(("-m", "scripts.replay", *options), {**process_environment(settings), "DATABASE_URL": url}, path)


def _run(arguments: tuple[str, ...], environment: Mapping[str, str], path: Path) -> Ended:
    begin, before, most = time.perf_counter(), _core(), 0.0
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL
    ) as started:
        while started.poll() is None:
            most = max(most, _peak(started.pid))
            time.sleep(EVERY)
    took = time.perf_counter() - begin
    if started.returncode:
        raise RuntimeError(f"the replay ended with code {started.returncode}")
    with path.open(encoding="utf-8") as file:
        return Ended(took, _core() - before, most, sum(1 for _ in file) - 1)


def _core() -> float:
    """Return the core seconds of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _peak(pid: int) -> float:
    """Return the largest resident memory of a running process so far, in MB."""
    # The largest memory that the system names at the end of a process counts its parent's before the start, too.
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return max((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), default=0.0)
