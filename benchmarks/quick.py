"""`make bench-quick`: the benchmark to run before and after a change. It takes a minute and writes no file."""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.harness import lab, machine
from benchmarks.harness.contestants import API, CHALLENGED, ROWS, Contestant, make_model, ours
from benchmarks.harness.http_load import CONNECTIONS, LoadError, Measured, send
from benchmarks.harness.report import Report, latencies, ratio, seconds, spread
from benchmarks.harness.serving import EMPTY, own_home
from benchmarks.headline.answering import MANY_CONNECTIONS, WARM_UP
from benchmarks.headline.many_rows import DATA
from common.problem import get_problem
from common.settings import Settings

ROUNDS = 3
SECONDS = 1.0
TEXT = (
    f"`POST /predict` of one row, then of {ROWS:,} rows as {DATA}; each service on one core, started {ROUNDS} times, "
    f"in turn, and measured for {SECONDS:.0f} s with each load. The figures are medians; brackets hold the slowest and "
    "the fastest start. The unit is the rate of the empty endpoint over as many connections, where a request counts as "
    "one row. `make bench` measures all claims, and the other servers."
)
HEADER = ("", "rows/s", "ratio", "p50", "p99", "resident memory after it")


@dataclass(frozen=True)
class Load:
    """The result of a load, its connections, its rows of a request, and the resident memory in MB after it."""

    measured: Measured
    connections: int
    rows: int
    resident: float

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows * self.measured.rate


def measure() -> Report:
    """Start the empty endpoint and the api, without and with a challenger, in turn; send all loads to each."""
    with lab.lab() as settings:
        model = make_model(get_problem(settings.problem), settings)
        contestants = [each for each in ours(model) if each.name in (EMPTY.name, API, CHALLENGED)]
        found: dict[str, list[Load]] = {}
        for turn in range(ROUNDS):
            for each in contestants:
                lab.say(f"turn {turn + 1} of {ROUNDS}: {each.name}")
                for what, load in start(each, own_home(settings, f"{turn} {each.name}")).items():
                    found.setdefault(f"{each.name}, {what}", []).append(load)
    return _report(found)


def start(contestant: Contestant, settings: Settings) -> Mapping[str, Load]:
    """Start a service, and send the loads to it."""
    loads = {f"{wide} connections": (contestant.one, wide) for wide in (CONNECTIONS, MANY_CONNECTIONS)}
    if DATA in contestant.many:
        loads[f"batches of {ROWS:,}"] = (contestant.many[DATA], CONNECTIONS)
    found = {}
    with contestant.asked(settings) as running:
        send(settings.api_port, contestant.one.post, WARM_UP)
        for what, (question, connections) in loads.items():
            measured = send(settings.api_port, question.post, SECONDS, connections)
            found[what] = Load(measured, connections, len(question.expected), running.resident())
    return found


def _report(found: Mapping[str, Sequence[Load]]) -> Report:
    empty = [load for name, loads in found.items() if name.startswith(EMPTY.name) for load in loads]
    units = {
        connections: median(load.rate for load in empty if load.connections == connections)
        for connections in (CONNECTIONS, MANY_CONNECTIONS)
    }
    rows = [_row(name, loads, units[loads[0].connections]) for name, loads in found.items()]
    return Report("In short", TEXT, HEADER, rows)


def _row(name: str, loads: Sequence[Load], unit: float) -> Sequence[str]:
    rates = [load.rate for load in loads]
    return (
        name,
        spread(rates),
        ratio(median(rates), unit),
        *latencies([load.measured for load in loads]),
        f"{median(load.resident for load in loads):.0f} MB",
    )


def main() -> None:
    """Measure and print."""
    begin = time.perf_counter()
    try:
        print(f"{measure().markdown()}\n{machine.description()}")
    except LoadError as error:
        sys.exit(f"{error}")
    lab.say(f"the benchmark took {seconds(time.perf_counter() - begin)}")


if __name__ == "__main__":
    main()
