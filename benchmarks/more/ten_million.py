"""A store of ten million predictions beside the same store when it had a million: pages, api, migration, retention.

Each of the two benchmarks takes three minutes, half an hour on a busy machine, and 8 GB below the folder for temporary
files (`TMPDIR`), so that they run only when somebody names them: `python -m benchmarks.run ten_million_sqlite`.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from statistics import median

import sqlalchemy as sa

from benchmarks.harness import lab
from benchmarks.harness.databases import postgresql
from benchmarks.harness.fitted import fit
from benchmarks.harness.registering import register
from benchmarks.harness.report import Claim, Report, milliseconds, seconds
from benchmarks.harness.rows import prediction_rows
from benchmarks.harness.serving import Service, own_home, serving, whole
from benchmarks.harness.timing import seconds_of
from benchmarks.more.lineage import _calls as lineage_calls
from benchmarks.more.log_copies import multiply
from benchmarks.more.pages import VERSIONS, _calls, _client, _references, fill
from common.problem import Problem, get_problem
from common.registry.client import Registry
from common.settings import Settings
from common.store import Store, StoreError, tables
from common.store.retention.retention import BEGIN, STEP_ROWS, Place
from monitor.jobs.retention import SHARE_OF_TIME
from monitor.page.view import Backends
from scripts.parts import part

SMALL, COPIES = 1_000_000, 10
ROUNDS = 7
MOST_SECONDS, MOST_GROWTH, MOST_START = 0.25, 3.0, 2.0
RETENTION_SECONDS = 20.0
START, STARTS = "start of the api", 3
PAUSE = 0.05  # of the writer beside retention, as the api's log gathers rows
TEXT = (
    "One store with {small:,} predictions of 90 days, then with each of them ten times. Half of them are a "
    "challenger's, and 70 % have a ground truth. Figures are medians of {rounds}. The pages, `/metrics` and the "
    "questions about lineage are those of the benchmarks above. `GET /models` is asked of an api of one process; its "
    "start is the fastest of {starts}, from the command to the first answer of `/readyz`, with the version from the "
    "disk. A message of feedback is one durable transaction. *Migration* makes schema 0007 of 0006: it counts 90 days"
    " of the log by hours, and newer rows by minutes and seconds, too. It is one transaction, which holds the store's"
    " one lock for writers. Readers do not wait for it, as the slowest read meanwhile shows. Another writer waits for"
    " this lock for 10 s, and the api for 2 s, and then gets an error; the table has such writes of one row, again "
    "and again with 10 s. The rest follows from the code and is not measured. An api of the version before, which "
    "still runs, keeps 20 000 rows of its log in memory meanwhile and drops the rest. In an api of today the rows go "
    "into the spool, and feedback and corrections get a 503. *Retention* deletes at most {step} rows in a transaction"
    " and pauses four times as long, while another thread writes 50 rows at a time, as the api does. Filled in "
    "{fill}."
)


@dataclass
class _Found:
    """Seconds by question and size."""

    times: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        self.times.setdefault(name, []).append(value)

    def ask(self, calls: Mapping[str, Callable[[], object]]) -> None:
        for name, call in calls.items():
            call()
            self.add(name, median(seconds_of(call) for _ in range(ROUNDS)))


def measure_sqlite() -> Report:
    """Measure on SQLite."""
    with lab.lab() as settings:
        return _measure("SQLite", settings, f"sqlite:///{settings.lab_home}/ten.db")


def measure_postgresql() -> Report:
    """Measure on PostgreSQL."""
    with lab.lab() as settings, postgresql() as pair:
        url = pair.store._database._engine.url  # noqa: SLF001
        return _measure("PostgreSQL", settings, url.render_as_string(hide_password=False))


def _measure(database: str, settings: Settings, url: str) -> Report:
    problem, found = get_problem(settings.problem), _Found()
    api = own_home(settings, "api").model_copy(update={"database_url": url})
    bundle = whole(fit(problem, settings).bundle)
    with part("mlflow", settings), asyncio.Runner() as runner, ExitStack() as stack:
        for seed in range(VERSIONS + 1):
            register(settings, seed=seed)
        registry = runner.run(_open(settings.mlflow_uri))
        stack.callback(lambda: runner.run(registry.__aexit__()))
        lab.say(f"{database}: write {SMALL:,} predictions")
        with closing(Store(url)) as store:
            fill_seconds = seconds_of(partial(fill, store, problem, SMALL // COPIES))
            fill_seconds += seconds_of(partial(multiply, store, COPIES))
            calls = lineage_calls(runner, registry, problem, store)
            lineage = {f"lineage of {name}": call for name, call in calls.items()}
            _ask(found, store, problem, bundle, api)
            found.ask(lineage)
            lab.say(f"{database}: copy them")
            fill_seconds += seconds_of(partial(multiply, store, COPIES, turn=1))
            _ask(found, store, problem, bundle, api)
            found.ask(lineage)
            size = store.retention.sizes.now()
        lab.say(f"{database}: migrate")
        migrated, read, refused, written = _migrate(url)
        lab.say(f"{database}: retention")
        with closing(Store(url)) as store:
            alone, beside, steps, rate = _retain(store, problem)
    return _report(database, found, fill_seconds, [
        ("migration from schema 0006 to 0007", "", seconds(migrated), "", ""),
        ("the slowest read meanwhile", "", milliseconds(read), "", ""),
        ("writes meanwhile that ended with an error", "", f"{len(refused)} of {len(refused) + len(written)}", "", ""),
        ("one of them, median", "", seconds(median(refused)) if refused else "-", "", ""),
        ("the slowest write that was done", "", seconds(max(written)) if written else "-", "", ""),
        ("retention: a transaction, median", "", milliseconds(median(steps)), "", ""),
        ("retention: the slowest transaction", "", milliseconds(max(steps)), "", ""),
        ("retention: rows a second", "", f"{rate:,.0f}", "", ""),
        ("a write of 50 rows without it, median and slowest", "", _both(alone), "", ""),
        ("a write of 50 rows beside it, median and slowest", "", _both(beside), "", ""),
        ("bytes a prediction", "", f"{size.row_bytes or 0:.0f}", "", ""),
    ])  # fmt: skip


def _both(found: Sequence[float]) -> str:
    return f"{milliseconds(median(found))}, {milliseconds(max(found))}"


async def _open(uri: str) -> Registry:
    return Registry(uri)


def _ask(found: _Found, store: Store, problem: Problem, service: Service, settings: Settings) -> None:
    backends = Backends(store, _references(store, problem), "http://mlflow", "http://prefect")
    with _client(backends, problem) as client:
        found.ask(_calls(backends, problem, client))
    rows = prediction_rows(problem, ROUNDS + 1)
    store.predictions.write(rows)
    unlabelled = iter(rows)
    found.ask({"feedback": lambda: store.feedback.give(next(unlabelled)["id"], problem.target.classes[0])})
    starts = []
    for turn in range(STARTS):
        with serving(service, settings, problem) as running:
            starts.append(running.cold_start)
            if turn == STARTS - 1:
                found.ask({"GET /models": lambda: running.http.get("/models").raise_for_status()})
    found.add(START, min(starts))


def _migrate(url: str) -> tuple[float, float, list[float], list[float]]:
    """Take the store back to the schema before, and migrate it.

    Returns:
        The seconds of the migration, of the slowest read meanwhile, and of each write that began meanwhile: of those
        that ended with an error, and of those that were done.
    """
    engine = sa.create_engine(url)
    c = tables.predictions.c
    newest = sa.select(c.id).where(c.problem == "iris").order_by(c.predicted_at.desc()).limit(100)
    ended, reads = threading.Event(), [0.0]
    refused: list[float] = []
    written: list[float] = []

    def read() -> None:
        with engine.connect() as connection:
            while not ended.wait(0.1):
                reads.append(seconds_of(lambda: connection.execute(newest).all()))
                connection.rollback()

    def write(other: Store, name: str) -> None:
        same = tables.predictions.update().where(c.id == name).values(problem="iris")
        while not ended.wait(0.1):
            begin = time.perf_counter()
            try:
                with other._database.writing() as connection:  # noqa: SLF001
                    connection.execute(same)
            except StoreError:
                refused.append(time.perf_counter() - begin)
            else:
                written.append(time.perf_counter() - begin)

    with closing(Store(url)) as other:  # opened before: it would migrate, too
        with engine.begin() as connection:
            name = connection.execute(newest).scalars().first() or ""
            for table in ("timeline_answers", "timeline_truths"):
                connection.exec_driver_sql(f"DROP TABLE {table}")
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0006'")
        others = [threading.Thread(target=read), threading.Thread(target=write, args=(other, name))]
        for each in others:
            each.start()
        try:
            migrated = seconds_of(lambda: Store(url).close())
        finally:
            ended.set()
            for each in others:
                each.join()
            engine.dispose()
    return migrated, max(reads), refused, written


def _retain(store: Store, problem: Problem) -> tuple[list[float], list[float], list[float], float]:
    """Return the seconds of writes without retention and beside it, of its transactions, and its rows a second."""
    steps: list[float] = []
    with _writing(store, problem) as alone:
        time.sleep(RETENTION_SECONDS / 2)
    before, place, deleted = (store.retention.oldest(problem.name) or BEGIN.at) + timedelta(days=80), BEGIN, 0
    with _writing(store, problem) as beside:
        until = time.monotonic() + RETENTION_SECONDS
        while time.monotonic() < until:
            start = time.perf_counter()
            step = store.retention.step(problem.name, place, before, with_truth=True)
            steps.append(time.perf_counter() - start)
            place, deleted = step.end or Place(before, ""), deleted + step.deleted
            time.sleep(steps[-1] * (1 / SHARE_OF_TIME - 1))
    return alone, beside, steps, deleted / RETENTION_SECONDS


@contextmanager
def _writing(store: Store, problem: Problem) -> Iterator[list[float]]:
    """Write 50 rows at a time in a thread meanwhile; yield the seconds of each write."""
    found: list[float] = []
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(PAUSE):
            found.append(seconds_of(partial(store.predictions.write, prediction_rows(problem, 50))))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield found
    finally:
        ended.set()
        writer.join()


def _report(database: str, found: _Found, fill_seconds: float, more: list[tuple[str, ...]]) -> Report:
    rows, slow = [], []
    for name, (small, large) in found.times.items():
        is_start = name == START
        met = large < MOST_START if is_start else large < MOST_SECONDS and (large < MOST_GROWTH * small or large < 0.01)
        slow += [] if met else [name]
        show = seconds if is_start else milliseconds
        rows.append((name, show(small), show(large), f"{large / small:.2f}", "yes" if met else "**no**"))
    asked = {name: times for name, times in found.times.items() if name != START}
    slowest = max(asked, key=lambda name: asked[name][-1])
    start = found.times[START][-1]
    claims = [
        Claim(
            f"the slowest page or question with {SMALL * COPIES:,} predictions in {database}: {slowest}",
            milliseconds(asked[slowest][-1]), f"{asked[slowest][-1] / asked[slowest][0]:.2f}", f"with {SMALL:,}",
            f"each under {MOST_SECONDS * 1e3:.0f} ms and a ratio under {MOST_GROWTH:.0f}, or under 10 ms",
            met=not set(slow) - {START},
        ),
        Claim(
            f"the start of the api with {SMALL * COPIES:,} predictions in {database}",
            seconds(start), "", "", f"under {MOST_START:.0f} s", met=start < MOST_START,
        ),
    ]  # fmt: skip
    text = TEXT.format(small=SMALL, rounds=ROUNDS, starts=STARTS, step=STEP_ROWS, fill=f"{fill_seconds:.0f} seconds")
    header = ("", f"{SMALL:,}", f"{SMALL * COPIES:,}", "ratio", "flat")
    return Report(f"Ten million predictions in {database}", text, header, [*rows, *more], claims)
