"""Where the time of a request goes: the core time of uvicorn and of the api under load, and its parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.harness import lab
from benchmarks.harness.contestants import Model, make_model
from benchmarks.harness.counting import totals
from benchmarks.harness.http_load import CONNECTIONS, send
from benchmarks.harness.report import Report
from benchmarks.harness.serving import BARE, Service, own_home, serving
from benchmarks.more.request_parts import BATCH_ROWS, Part, parts_of_the_loop, parts_of_the_writer
from common.problem import get_problem
from common.settings import Settings

ROUNDS = 5
SECONDS = 2.0
WARM_UP = 0.5
TEXT = (
    f"The time of a core for one `POST /predict` of one row over {CONNECTIONS} connections. *The whole* is the time of "
    "all threads of the api under load; beside it stands the time of a bare ASGI application under uvicorn with the "
    f"same load. Both are medians of {ROUNDS} starts, in turn. All other figures are the best of thousands of calls in "
    "one process without sockets: with {rows} rows at once on the event loop, as many as a run of the model had under "
    f"load, and with {BATCH_ROWS} rows in the log's thread. *In no part* is the rest: receiving, sending, waking up, "
    "and the threads' waiting for caches and locks. The two columns on the right show the usual functions for the "
    "same work, timed in the same manner."
)
HEADER = ("", "core time", "share", "usual functions", "core time")


@dataclass(frozen=True)
class Start:
    """One start under load: core seconds for a request, and rows in a run of the model."""

    core: float
    rows: float


def measure() -> Report:
    """Send the load to the bare application and to the api in turn; then time the parts."""
    with lab.lab() as settings:
        model = make_model(get_problem(settings.problem), settings)
        api = Service("the api", "benchmarks.headline.answering_app:counting_runs", model.fitted.bundle)
        starts: dict[str, list[Start]] = {BARE.name: [], api.name: []}
        for turn in range(ROUNDS):
            lab.say(f"turn {turn + 1} of {ROUNDS}: a bare application, the api")
            for service in (BARE, api):
                starts[service.name].append(start(service, model, own_home(settings, f"{turn} {service.name}")))
        server, whole = (median(each.core for each in found) for found in starts.values())
        rows = round(median(each.rows for each in starts[api.name]))
        lab.say("time the parts")
        loop = parts_of_the_loop(model, own_home(settings, "loop"), rows)
        writer = parts_of_the_writer(model, own_home(settings, "writer"))
    return _report(server, loop, writer, whole, rows)


def start(service: Service, model: Model, settings: Settings) -> Start:
    """Start a service and send the load to it; return the core seconds of a request."""
    post = model.one.fields().post
    with serving(service, settings, model.problem) as running:
        send(settings.api_port, post, WARM_UP)
        before = totals(running.http)["model_runs"] if service.champion else 0
        load, core = running.timed(lambda: send(settings.api_port, post, SECONDS))
        after = totals(running.http)["model_runs"] if service.champion else load.answers
        return Start(core / load.answers, load.answers / (after - before))


def _report(server: float, loop: Sequence[Part], writer: Sequence[Part], whole: float, rows: int) -> Report:
    known = loop[-1].seconds + sum(part.seconds for part in writer)
    sockets = Part("in no part: sockets, the system", whole - known)
    parts = [*loop, *writer, sockets, Part("*the whole*", whole, BARE.name, server)]
    return Report(
        "Where the time of a request goes", TEXT.format(rows=rows), HEADER, [_row(part, whole) for part in parts]
    )


def _row(part: Part, whole: float) -> Sequence[str]:
    ordinary = f"{1e6 * part.ordinary_seconds:.1f} µs" if part.ordinary else ""
    return (part.name, f"{1e6 * part.seconds:.1f} µs", f"{part.seconds / whole:.0%}", part.ordinary, ordinary)


if __name__ == "__main__":
    print(measure().markdown())
