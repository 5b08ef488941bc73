"""The acts of the demo: the loop closes, the world changes, and a liar tries to spoil it."""

import math
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from rich.console import Console

from common.problem import Problem
from common.settings import Settings
from common.store.suggestions import TRAIN_AT
from scripts.demo_clients import MANY, SOME, Clients, seconds_since
from scripts.demo_copy import run
from scripts.demo_picture import Event
from scripts.demo_steps import (
    PATIENCE,
    DemoError,
    correct,
    learn,
    least_sure,
    served_version,
    trained,
    vetted,
    wait_for_alert,
)
from scripts.parts import answers, wait_for
from scripts.stack import health_checks, wait_until_ready

ACCURACY = ("accuracy", "window")  # kind and subject of the monitor's alert
# How the world of a problem changes: the factors of its features. Other problems end when the loop is closed.
CHANGES = {"iris": {"petal_length": 1.25, "petal_width": 1.25}}
MISTAKES, CONFIRMED, LIES = 50, 25, 25  # corrections of wrong answers and of right ones, and those of a liar
OTHERS = 300  # rows among which a person looks for the first corrections
# Most rows before the world changes, for version 1 and then for version 2. The gate counts their ground truths, too, so
# with 250 of them it would refuse a version that has learnt the new world: such a version is worse in the old one.
OLD_ROWS, NEXT_ROWS = 75, 30
HARM = 0.1  # the loss of accuracy, on the few rows that clients send, above which the liar has done harm
WATCH_SECONDS = 1.5  # traffic between two acts, to see the answers of the new version
console = Console(soft_wrap=True)


def minute_now() -> str:
    """Return this minute in UTC as the monitor's page reads it, for the begin of the time that the page shows."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}"


class Hops(dict[str, float]):
    """The steps of the demo, each with the seconds it took; and the events, with the seconds since the start.

    Attributes:
        now: a clock of the seconds since the start.
        events: the events so far.
        flow_run_id: the last flow run.
        began: the minute of the start, in UTC, as the monitor's page reads it.
    """

    def __init__(self) -> None:
        """Start the clock."""
        super().__init__()
        self.now = seconds_since(time.monotonic())
        self.events: list[Event] = []
        self.flow_run_id = ""
        self.began = minute_now()

    @contextmanager
    def hop(self, name: str, *, announce: bool = True) -> Iterator[None]:
        """Time one step, and print its name at its begin."""
        if announce:
            console.print(f"[bold]▶ {name}[/]")
        start = self.now()
        yield
        self[name] = self.now() - start

    def happened(self, what: str, text: str = "") -> None:
        """Note an event, now, and print more about it."""
        self.events.append(Event(self.now(), what))
        if text:
            console.print(f"  {text}", style="dim", highlight=False)


def begin(settings: Settings, stack: subprocess.Popen[bytes], hops: Hops) -> None:
    """Prepare the data and train a model while the servers start."""
    with hops.hop("start all servers; meanwhile, prepare the data: get_data, dvc repro"):
        run(["python", "-m", "scripts.prepare"], settings)
        mlflow = health_checks(settings)["mlflow"]
        wait_for("MLflow", lambda: stack.poll() is not None or answers(mlflow), PATIENCE)
    with hops.hop("train: python main.py"):
        run(["python", "main.py"], settings)
        wait_until_ready(settings, stopped=lambda: stack.poll() is not None)


def close_loop(settings: Settings, api: httpx.Client, clients: Clients, hops: Hops) -> None:
    """Let five corrections become the second version."""
    hops.happened(f"version {served_version(api)} serves")
    clients.most = OLD_ROWS
    with hops.hop(f"{TRAIN_AT} corrections become version 2, without a restart"):
        statuses = learn(api, least_sure(api, clients.others(OTHERS)), TRAIN_AT)
    clients.most = OLD_ROWS + NEXT_ROWS
    _serves(settings, statuses, hops)


def change_world(problem: Problem, settings: Settings, api: httpx.Client, clients: Clients, hops: Hops) -> None:
    """Change the rows that clients send, wait for the alert, and let corrections become the next version."""
    with hops.hop("the world changes: petals are measured 25 % too long"):
        hops.happened("petals 25 % too long")
        clients.factors, clients.rows_in_burst, clients.most = CHANGES[problem.name], MANY, math.inf
        clients.check(MISTAKES, CONFIRMED)
        alert = wait_for_alert(settings, problem, ACCURACY)
        hops.happened("alert", f"alert: {alert.message}")
        corrections = wait_for("mistakes to correct", clients.corrections, PATIENCE)
        clients.rows_in_burst = SOME
    with hops.hop(f"people correct {MISTAKES} answers and confirm {CONFIRMED}: version 3"):
        hops.happened(f"{len(corrections)} corrections")
        statuses = learn(api, corrections)
    _serves(settings, statuses, hops)


def lie(problem: Problem, settings: Settings, api: httpx.Client, clients: Clients, hops: Hops) -> None:
    """Send a liar's corrections, which are to do no harm."""
    before = served_version(api)
    about, claimed = problem.target.classes[-2:]
    with hops.hop(f"a liar says of {LIES} {about} that they are {claimed}"):
        hops.happened("a liar's corrections")
        statuses = correct(api, clients.lies(LIES, about, claimed))
        console.print(f"  {vetted(settings, statuses) or 'vetting finds none of them'}", style="dim", highlight=False)
        judged = [each for each in statuses if each["judgement"]]
        few = {"verdict": "lies wait", "reason": f"fewer than {TRAIN_AT} passed"}
        last = judged[-1]["judgement"] if judged else few
        hops.happened(last["verdict"], f"{len(judged)} others are judged: {last['verdict']}: {last['reason']}")
        time.sleep(WATCH_SECONDS)
    if (now := served_version(api)) != before:
        # Lies that no rule finds lie where classes overlap, so a version may learn them without being any worse.
        hops.happened(f"version {now} serves", "on probation: ground truths decide whether it stays")
        if clients.share_of_right(now) < clients.share_of_right(before) - HARM:
            raise DemoError("a version that has learnt a liar's corrections serves, and is worse than the one before")


def _serves(settings: Settings, statuses: list[dict[str, Any]], hops: Hops) -> None:
    """Note that a version serves which has learnt corrections, and let clients see some of its answers."""
    if stopped := vetted(settings, statuses):
        console.print(f"  {stopped}", style="dim", highlight=False)
    status = trained(statuses)[-1]
    number, verdict = status["model_version"], status["judgement"]
    hops.flow_run_id = status["flow_run_id"]
    hops.happened(f"version {number} serves", f"version {number}: {verdict['verdict']}: {verdict['reason']}")
    time.sleep(WATCH_SECONDS)
