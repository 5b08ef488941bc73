"""The cost of a prediction on PostgreSQL: core time of api and database, disk, write-ahead log, network."""

import json
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from statistics import median

import httpx
import psutil
import psycopg

from benchmarks.harness import lab
from benchmarks.harness.counting import accounted, written
from benchmarks.harness.databases import postgresql_server
from benchmarks.harness.http_load import CONNECTIONS, JSON, put_load
from benchmarks.harness.report import Report
from benchmarks.harness.running import core_seconds, running
from benchmarks.harness.serving import is_ready, keep_models, whole
from benchmarks.more.problems import champion_of
from common.problem import get_problem
from common.settings import Settings
from scripts.stack import log_path, process_environment

ROUNDS = 3
WARM_UP, SECONDS = 1.0, 4.0
ROWS = (1, 20)  # of a request
TITLE = "The cost of a prediction on PostgreSQL"
TEXT = (
    "The api of iris, started by `python -m api.serve` in one process, with the log in PostgreSQL on the same machine. "
    f"{CONNECTIONS} connections of wrk send `POST /predict` with one row, or with {ROWS[1]} rows as "
    '`{"data": …}`. *Core of the api* is the time of all threads of its process for each row; *core of PostgreSQL* '
    "the time of all its processes for each row that was logged. *Logged* are the rows that PostgreSQL took in a "
    "second, while api, database and wrk shared two cores; the api dropped and counted the others. *Disk* is the "
    "growth of all tables and indexes of the store, *write-ahead log* what the server wrote before it, for each logged "
    "row. *Network* is a request and its answer with their heads, for each row, without TCP's own. Each service was "
    f"started {ROUNDS} times and measured for {SECONDS:.0f} s. The figures are medians."
)
HEADER = (
    *("rows of a request", "rows/s", "core of the api", "logged, rows/s", "core of PostgreSQL"),
    *("disk", "write-ahead log", "network"),
)
SIZE = (
    b"SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
    b"WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
)
WRITTEN = b"SELECT pg_current_wal_lsn() - '0/0'"


@dataclass(frozen=True)
class Cost:
    """One start: rows a second, and for a row seconds of a core and bytes."""

    rate: float
    core: float
    logged: float
    core_of_database: float
    disk: float
    log: float
    network: float


def measure() -> Report:
    """Start the api on PostgreSQL for each size of a request in turn, and put a load on it."""
    found: dict[int, list[Cost]] = {rows: [] for rows in ROWS}
    with lab.lab() as settings:
        bundle = champion_of(get_problem(settings.problem), settings)
        for turn in range(ROUNDS):
            for rows in ROWS:
                lab.say(f"turn {turn + 1} of {ROUNDS}: {rows} rows a request")
                with postgresql_server() as (uri, server):
                    found[rows].append(cost(settings, bundle, rows, uri, server))
    return Report(TITLE, TEXT, HEADER, [_cells(rows, costs) for rows, costs in found.items()])


def cost(settings: Settings, bundle: bytes, rows: int, uri: str, server: psutil.Process) -> Cost:
    """Put a load on a fresh api whose log is in the database at `uri`; `server` is PostgreSQL's first process."""
    problem = get_problem(settings.problem)
    url = uri.replace("postgresql://", "postgresql+psycopg://")
    home = settings.lab_home / f"costs-{server.pid}"
    own = settings.model_copy(update={"lab_home": home, "database_url": url})
    keep_models(whole(bundle), own, problem)
    row = {slug: feature.example for slug, feature in zip(problem.slugs, problem.features, strict=True)}
    body = json.dumps(row if rows == 1 else {"data": [[*row.values()]] * rows}).encode()
    command = [sys.executable, "-m", "api.serve", "--port", str(own.api_port)]
    with running(command, process_environment(own), log_path(own, "service"), own.api_port, is_ready) as started:
        put_load(own.api_port, "/predict", body, WARM_UP)
        before = written(started.http)
        disk, log, busy = _sum(uri, SIZE), _sum(uri, WRITTEN), core_seconds(server)
        load, core = started.timed(lambda: put_load(own.api_port, "/predict", body, SECONDS))
        counted = accounted(written(started.http) - before, load, rows)
        return Cost(
            rate=counted.answered / load.seconds,
            core=core / counted.answered,
            logged=counted.logged / load.seconds,
            core_of_database=(core_seconds(server) - busy) / counted.logged,
            disk=(_sum(uri, SIZE) - disk) / counted.logged,
            log=(_sum(uri, WRITTEN) - log) / counted.logged,
            network=_exchanged(started.http, body) / rows,
        )


def _sum(uri: str, query: bytes) -> float:
    with psycopg.connect(uri) as connection:
        row = connection.execute(query).fetchone()
        return float(row[0]) if row else 0.0


def _exchanged(http: httpx.Client, body: bytes) -> int:
    """Return the bytes of a request and its answer, each with its head."""
    answer = http.post("/predict", content=body, headers=JSON)
    heads = [*answer.request.headers.raw, *answer.headers.raw]
    first_lines = len("POST /predict HTTP/1.1\r\n\r\n") + len("HTTP/1.1 200 OK\r\n\r\n")
    return first_lines + sum(len(name) + len(value) + 4 for name, value in heads) + len(body) + len(answer.content)


def _cells(rows: int, costs: Sequence[Cost]) -> tuple[str, ...]:
    rate, core, logged, database, disk, log, network = (median(each) for each in zip(*map(astuple, costs), strict=True))
    times = f"{core * 1e6:.1f} µs", f"{database * 1e6:.1f} µs"
    sizes = (f"{size:.0f} B" for size in (disk, log, network))
    return str(rows), f"{rate:.0f}", times[0], f"{logged:.0f}", times[1], *sizes
