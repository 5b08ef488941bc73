"""The scenes of the film, on a stack in the copy of the project; a picture of each, and the facts that it shows.

A scene ends when what it tells has happened, and no client sends anything while its picture is taken.
"""

import subprocess
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from common.problem import Problem
from common.settings import Settings
from common.store import Store
from common.table import read_table
from scripts.demo_acts import ACCURACY, CHANGES, CONFIRMED, MISTAKES, OLD_ROWS
from scripts.demo_clients import MANY, SOME, Clients
from scripts.demo_copy import run
from scripts.demo_steps import PATIENCE, DemoError, in_state, learn, served_version, trained, wait_for_alert
from scripts.monitor_key import monitor_header
from scripts.parts import wait_for
from scripts.stack import wait_until_ready
from scripts.traffic import api_address, key_header

DRIFT = ("drift", "petal_length")  # kind and subject of the alert that the drift of a feature opens
SEEN = 60  # ground truths that the version of the changed world gets before the picture of its verdict

Facts = dict[str, str | int | float]
Shoot = Callable[[str], None]  # takes the picture of the scene with this name


@dataclass
class Film:
    """A film that is being made.

    Attributes:
        problem: the problem.
        settings: those of the stack.
        api: a client of the api.
        shoot: takes a picture.
        facts: the numbers and words of the scenes so far, by name.
    """

    problem: Problem
    settings: Settings
    api: httpx.Client
    shoot: Shoot
    facts: Facts = field(default_factory=dict)

    def models(self) -> Mapping[str, Any]:
        """Return what the api says about its versions."""
        found: Mapping[str, Any] = self.api.get("/models").raise_for_status().json()
        return found

    def pause(self, clients: Clients) -> None:
        """Let the clients pause, and wait until the store has all that they were answered."""
        clients.pause()
        wait_for("the log", lambda: self.answered() >= len(clients.answered), PATIENCE)

    def answered(self) -> int:
        """Return how many rows the log has that a champion answered."""
        return sum(each["predictions"] for each in self.models()["versions"] if each["role"] == "champion")

    def wait_for_page(self, champion: int, challenger: int | None) -> None:
        """Wait until the monitor's page names these versions: it asks the registry every few seconds."""

        def shown() -> bool:
            page = httpx.get(f"{self.settings.monitor_page}/api/overview", headers=monitor_header(self.settings))
            served = page.raise_for_status().json()["served"]
            return (served["champion"], served["challenger"]) == (champion, challenger)

        wait_for(f"version {champion} on the page", shown, PATIENCE, every=0.5)

    def accuracy_of(self, version: int) -> tuple[str, int]:
        """Return the accuracy of a version as champion, in words with its interval, and its number of ground truths."""
        [found] = [
            each for each in self.models()["versions"] if (each["model_version"], each["role"]) == (version, "champion")
        ]
        value, low, high = (found["accuracy"][key] for key in ("value", "low", "high"))
        return f"{100 * value:.1f} % ({100 * low:.1f} to {100 * high:.1f} %)", found["labels"]


def play(problem: Problem, settings: Settings, stack: subprocess.Popen[bytes], shoot: Shoot) -> Facts:
    """Play all scenes on a stack that has just been started; return their facts.

    Raises:
        DemoError: a scene did not end as it should.
        TimeoutError: a scene did not end in time.
    """
    run(["python", "-m", "scripts.prepare"], settings)
    wait_until_ready(settings, stopped=lambda: stack.poll() is not None)
    with httpx.Client(base_url=api_address(settings), headers=key_header(settings), timeout=10.0) as api:
        film = Film(problem, settings, api, shoot)
        shoot("fresh")
        _training(film)
        rows = read_table(settings.data_dir / "data.csv", problem, indices=False)
        with Clients(problem, settings, rows, lambda: 0.0) as clients:
            _traffic(film, clients)
            _drift(film, clients)
            _corrections(film, clients)
            _verdict(film, clients)
            _roll_back(film, clients)
    return film.facts


def _training(film: Film) -> None:
    run(["python", "main.py"], film.settings)
    wait_for("version 1", lambda: served_version(film.api) == 1, PATIENCE)
    film.wait_for_page(1, None)
    film.facts["candidates"] = len(film.problem.candidates())
    film.shoot("training")


def _traffic(film: Film, clients: Clients) -> None:
    clients.rows_in_burst, clients.most = SOME, OLD_ROWS
    wait_for("the traffic", lambda: len(clients.answered) >= OLD_ROWS, PATIENCE)
    film.pause(clients)
    film.facts["traffic_rows"] = len(clients.answered)
    film.facts["traffic_accuracy"], film.facts["traffic_truths"] = film.accuracy_of(1)
    film.shoot("traffic")


def _drift(film: Film, clients: Clients) -> None:
    clients.factors, clients.rows_in_burst, clients.most = CHANGES[film.problem.name], MANY, float("inf")
    clients.check(MISTAKES, CONFIRMED)
    film.facts["alert"] = wait_for_alert(film.settings, film.problem, ACCURACY).message
    wait_for("mistakes to correct", clients.corrections, PATIENCE)
    wait_for_alert(film.settings, film.problem, DRIFT)
    film.pause(clients)
    film.shoot("drift")


def _corrections(film: Film, clients: Clients) -> None:
    found = clients.corrections()
    if not found:
        raise DemoError("no client has found mistakes")
    statuses = learn(film.api, found)
    learnt = trained(statuses)
    film.facts |= {
        "corrections": len(statuses),
        "learnt": len(learnt),
        "quarantined": len(in_state(statuses, "quarantined")),
        "version": learnt[-1]["model_version"],
        "verdict": learnt[-1]["judgement"]["verdict"],
        "reason": learnt[-1]["judgement"]["reason"],
    }
    film.wait_for_page(int(film.facts["version"]), 1)
    film.shoot("corrections")


def _verdict(film: Film, clients: Clients) -> None:
    before = len(clients.answered)
    clients.rows_in_burst, clients.most = SOME, before + SEEN
    wait_for("answers of both versions", lambda: len(clients.answered) >= before + SEEN, PATIENCE)
    film.pause(clients)
    compared = wait_for("the comparison", lambda: film.models()["comparison"], PATIENCE)
    film.facts["only_new_right"] = compared["only_champion_right"]
    film.facts["only_old_right"] = compared["only_challenger_right"]
    film.facts["new_accuracy"], film.facts["new_truths"] = film.accuracy_of(int(film.facts["version"]))
    film.shoot("verdict")


def _roll_back(film: Film, clients: Clients) -> None:
    clients.factors, clients.rows_in_burst, clients.most = {}, MANY, float("inf")
    wait_for("the roll-back", partial(_rolled_back, film), PATIENCE)
    film.pause(clients)
    wait_for("version 1", lambda: served_version(film.api) == 1, PATIENCE)
    film.wait_for_page(1, None)
    film.shoot("rolled-back")


def _rolled_back(film: Film) -> bool:
    with closing(Store(film.settings.database_url)) as store:
        last = store.champions.history(film.problem.onnx_name)[-1]
    film.facts["because"] = last.because or ""
    return (last.model_version, last.how) == (1, "rolled back")
