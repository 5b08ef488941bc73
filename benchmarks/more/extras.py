"""The cost of two extras of an answer: the header `Server-Timing`, and the four counts for Seldon's clients."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from benchmarks.harness import lab
from benchmarks.harness.http_load import CONNECTIONS, Post, send
from benchmarks.harness.report import Claim, Report, ratio
from benchmarks.harness.serving import API, Service, own_home, serving
from benchmarks.more.problems import champion_of, of
from common.problem import Problem, get_problem
from common.settings import Settings
from scripts.parts import free_port

TURNS = 12
SECONDS = 2.0
AT_MOST = 1.1
APP = "benchmarks.more.extras_app"


@dataclass(frozen=True)
class Extra:
    """A part of an answer, the problem and the request that show it, and the application without it."""

    name: str
    problem: str
    path: str
    without: str


EXTRAS = (
    Extra("the header `Server-Timing`, `POST /predict`", "iris", "/predict", f"{APP}:without_timing"),
    Extra("the four counts, Seldon's protocol", "breast_cancer", "/api/v1.0/predictions", f"{APP}:without_counts"),
)


def measure() -> Report:
    """Send loads in turn to the api with and without each extra; both run all the time."""
    with lab.lab() as settings:
        found = [(extra, *_once(extra, of(get_problem(extra.problem), settings))) for extra in EXTRAS]
    rows, claims = [], []
    for extra, off, on in found:
        claim = Claim(
            f"core per request with {extra.name}", _micro(on), ratio(median(on), median(off)), "without it",
            f"at most {AT_MOST}", met=median(on) <= AT_MOST * median(off),
        )  # fmt: skip
        claims.append(claim)
        rows.append((extra.name, _micro(off), _micro(on), claim.ratio, claim.verdict))
    return Report(
        "The cost of two extras",
        "Each extra is measured by two processes of the api that share a core and run all the time; one of them has "
        f"a part replaced. {CONNECTIONS} connections send the same row to one of them for {SECONDS:.0f} s, then to the "
        "other, in alternating order. The figures are the time of all threads of the process: medians of "
        f"{TURNS} turns, and in brackets the smallest and the largest. Seldon's row has a problem with two classes, "
        "whose counts are read from the store once a second.",
        ("", "core per request, off", "on", "ratio", "required"),
        rows,
        claims,
    )


def _once(extra: Extra, settings: Settings) -> tuple[list[float], list[float]]:
    """Return the core seconds per request of each turn, without the extra and with it."""
    problem = get_problem(extra.problem)
    lab.say(f"{extra.name}: the data, the model")
    lab.python(settings, "-m", "scripts.get_data")
    lab.python(settings, "preprocess.py")
    bundle = champion_of(problem, settings)
    post = _post(extra, problem)
    with ExitStack() as stack:
        servers = []
        for name, app in (("off", extra.without), ("on", API)):
            own = own_home(settings, f"{extra.problem} {name}").model_copy(update={"api_port": free_port()})
            servers.append((own.api_port, stack.enter_context(serving(Service(name, app, bundle), own, problem))))
        spent: tuple[list[float], list[float]] = [], []
        for turn in range(TURNS + 1):
            lab.say(f"{extra.name}: turn {turn} of {TURNS}")
            for place in (0, 1) if turn % 2 else (1, 0):
                port, server = servers[place]
                load, core = server.timed(lambda port=port: send(port, post, SECONDS))  # type: ignore[misc]
                spent[place].append(core / load.answers)
    return spent[0][1:], spent[1][1:]  # the first turn warms both up


def _post(extra: Extra, problem: Problem) -> Post:
    row = [feature.example for feature in problem.features]
    body = dict(zip(problem.columns, row, strict=True)) if extra.path == "/predict" else {"data": {"ndarray": [row]}}
    return Post(extra.path, json.dumps(body).encode())


def _micro(spent: Sequence[float]) -> str:
    return f"{median(spent) * 1e6:.1f} µs ({min(spent) * 1e6:.1f} to {max(spent) * 1e6:.1f})"
