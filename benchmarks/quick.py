"""What a developer runs before and after a change: `make bench-quick`, under two minutes. Prints, and writes nothing."""

import sys
import time
from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks import lab, machine
from benchmarks.answering import MANY_CONNECTIONS, WARM_UP
from benchmarks.contestants import API, CHALLENGED, ROWS, Contestant, make_model, ours
from benchmarks.http_load import CONNECTIONS, LoadError, Measured, send
from benchmarks.many_rows import DATA
from benchmarks.report import Report, ratio, seconds
from benchmarks.serving import EMPTY, own_home
from common.problem import get_problem
from common.settings import Settings

ROUNDS = 3
SECONDS = 1.0
TEXT = (
    f"`POST /predict` of one row, then of {ROWS:,} rows as {DATA}; each service on one core, started {ROUNDS} times in "
    f"turn, and asked for {SECONDS:.0f} s in each way: medians, in brackets the slowest and the fastest start. For what "
    "is claimed, and against whom, there is `make bench`."
)
HEADER = ("", "answers/s", "ratio", "p50", "p99", "resident after it")

Load = tuple[Measured, float]  # and the MB that the service holds after it


def measure() -> Report:
    """Start the empty endpoint and the api, without and with a challenger, in turn, and put all loads on each."""
    with lab.lab() as settings:
        model = make_model(get_problem(settings.problem), settings)
        contestants = [each for each in ours(model) if each.name in (EMPTY.name, API, CHALLENGED)]
        found: dict[tuple[str, str], list[Load]] = {}
        for turn in range(ROUNDS):
            for each in contestants:
                lab.say(f"turn {turn + 1} of {ROUNDS}: {each.name}")
                for what, load in start(each, own_home(settings, f"{turn} {each.name}")).items():
                    found.setdefault((each.name, what), []).append(load)
    return _report(found)


def start(contestant: Contestant, settings: Settings) -> Mapping[str, Load]:
    """Start a service, and put the loads on it."""
    loads = {
        f"{CONNECTIONS} connections": (contestant.one, CONNECTIONS),
        f"{MANY_CONNECTIONS} connections": (contestant.one, MANY_CONNECTIONS),
    }
    if DATA in contestant.many:
        loads[f"batches of {ROWS:,}"] = (contestant.many[DATA], CONNECTIONS)
    with contestant.asked(settings) as running:
        send(settings.api_port, contestant.one.post, WARM_UP)
        return {
            what: (send(settings.api_port, question.post, SECONDS, connections), running.resident())
            for what, (question, connections) in loads.items()
        }


def _report(found: Mapping[tuple[str, str], Sequence[Load]]) -> Report:
    units = {what: median(load.rate for load, _ in loads) for (name, what), loads in found.items() if name == EMPTY.name}
    rows = [_row(name, what, loads, units.get(what)) for (name, what), loads in found.items()]
    return Report("In short", TEXT, HEADER, rows)


def _row(name: str, what: str, loads: Sequence[Load], unit: float | None) -> Sequence[str]:
    rates = [load.rate for load, _ in loads]
    p50, p99 = median(load.p50 for load, _ in loads), median(load.p99 for load, _ in loads)
    return (
        f"{name}, {what}",
        f"{median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})",
        ratio(median(rates), unit) if unit else "",
        f"{p50 * 1e3:.1f} ms",
        f"{p99 * 1e3:.1f} ms",
        f"{median(resident for _, resident in loads):.0f} MB",
    )


def main() -> None:
    """Measure and print."""
    begin = time.perf_counter()
    try:
        print(f"{measure().markdown()}\n{machine.description()}")
    except LoadError as error:
        sys.exit(f"{error}")
    lab.say(f"all of it took {seconds(time.perf_counter() - begin)}")


if __name__ == "__main__":
    main()
