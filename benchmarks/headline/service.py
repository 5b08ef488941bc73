"""The api's process: its memory and start-up time, against an empty FastAPI application."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import httpx

from benchmarks.harness import lab
from benchmarks.harness.report import Claim, Report, ratio, seconds
from benchmarks.harness.running import resident
from common.problem import get_problem
from common.settings import Settings
from scripts.parts import answers, part, process, wait_for
from scripts.ports import HOST
from scripts.stack import log_path, process_environment

REPEATS = 5
PREDICTIONS = 1000
MAX_MB = 135
MAX_SECONDS = 1.2


@dataclass(frozen=True)
class Start:
    """One start of a service: seconds until the first answer, then MB of memory before and after the predictions."""

    seconds: float
    idle: float
    used: float


def measure() -> Report:
    """Start the api, with a model on disk and without MLflow, and the empty application, in turn."""
    with lab.lab() as settings:
        keep_a_model(settings)
        api, empty = [], []
        for turn in range(REPEATS):
            lab.say(f"start {turn + 1} of {REPEATS}: an empty application, the api")
            empty.append(start(lab.uvicorn("benchmarks.headline.empty_app:app", settings.api_port), settings))
            api.append(start([sys.executable, "-m", "api.serve"], settings))
    return Report(
        "The service's process",
        f"The api with its last good model on disk and without MLflow, and an empty FastAPI application, each started "
        f"{REPEATS} times under uvicorn, in turn. The figures are medians. The first answer is an answer to `POST "
        f"/predict`. Memory is resident memory; the last row follows {PREDICTIONS} predictions over HTTP.",
        ("", "empty application", "api", "ratio", "required"),
        *_rows_and_claims(api, empty),
    )


def keep_a_model(settings: Settings) -> None:
    """Train a model and start the api once, so that the api stores its copy of the model on disk."""
    lab.say("train a model, and serve it once")
    with part("mlflow", settings):
        lab.python(settings, "main.py")
        with part("api", settings):
            wait_for("the first model", lambda: answers(f"http://{HOST}:{settings.api_port}/readyz"))


def start(command: Sequence[str], settings: Settings) -> Start:
    """Start a service, measure its memory before and after many predictions, and stop it."""
    examples = {feature.name: feature.example for feature in get_problem(settings.problem).features}
    with httpx.Client(base_url=f"http://{HOST}:{settings.api_port}", timeout=5.0) as http:
        begin = time.perf_counter()
        with process(command, log_path(settings, "service"), process_environment(settings)) as service:
            wait_for(
                " ".join(command), lambda: http.post("/predict", json=examples).is_success, within=60.0, every=0.01
            )
            first = time.perf_counter() - begin
            idle = resident(service.pid)
            for _ in range(PREDICTIONS):
                http.post("/predict", json=examples).raise_for_status()
            return Start(first, idle, resident(service.pid))


def _rows_and_claims(api: Sequence[Start], empty: Sequence[Start]) -> tuple[list[Sequence[str]], list[Claim]]:
    rows: list[Sequence[str]] = []
    claims: list[Claim] = []
    for name, what in (
        ("seconds", "seconds until the first answer"),
        ("idle", "memory, idle"),
        ("used", f"memory after {PREDICTIONS} predictions"),
    ):
        mine, unit = (median(getattr(each, name) for each in starts) for starts in (api, empty))
        timed = name == "seconds"
        shown = seconds if timed else _megabytes
        limit, required = (MAX_SECONDS, f"< {MAX_SECONDS} s") if timed else (MAX_MB, f"< {MAX_MB} MB")
        claim = Claim(
            f"the api: {what}", shown(mine), ratio(mine, unit), "an empty application", required, mine < limit
        )
        rows.append((what, shown(unit), claim.measured, claim.ratio, claim.verdict))
        claims.append(claim)
    return rows, claims


def _megabytes(value: float) -> str:
    return f"{value:.0f} MB"
