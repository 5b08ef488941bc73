"""Reviews in the whole loop, on real servers: an approved correction is learnt, once, and a rejected one never is."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from common.problem import Problem
from common.registry.client import Version
from common.settings import Settings
from common.store import Store
from scripts.parts import wait_for
from tests import servers
from tests.api.inference.test_prediction_log import store_of
from tests.conftest import StartApi, served_version
from tests.test_loop import (
    CLASSES,
    correction,
    details,
    forget_runs,
    let_wait,
    prefect_runs,
    row,
    rows,
    suggest,
    versions,
    wait_for_details,
    wait_until_over,
)


@pytest.fixture
def lab(settings: Settings, trained: Version, prefect_api_url: str, either_url: str) -> Iterator[Settings]:
    """A lab with version 1 and all servers, without vetting, its store first in SQLite, then in PostgreSQL."""
    assert trained.number == 1
    changes = {"prefect_api_url": prefect_api_url, "database_url": either_url, "vetting": "off"}
    changed = settings.model_copy(update=changes)
    forget_runs(changed)
    yield changed
    forget_runs(changed)


@pytest.fixture
def store(lab: Settings) -> Iterator[Store]:
    with store_of(lab) as opened:
        yield opened


def review(api: httpx.Client, ids: list[str], decision: str) -> None:
    api.post("/corrections/review", json={"ids": ids, "decision": decision}).raise_for_status()


def test_approved_corrections_are_learnt_once_and_a_rejected_one_never(
    lab: Settings, store: Store, start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only the outbox delivers here: the loop that replaces lost runs looks when the test is over.
    monkeypatch.setattr("api.lost_runs.lost_runs.LOOK_SECONDS", 3600.0)
    with servers.worker(lab), start_api(lab) as api:
        first, second, bad = suggest(api, range(3))
        wait_for_details(api, [first, second, bad], "waiting (3 of 5)")
        store.suggestions.quarantine([first, second, bad], "they look odd")
        [other] = suggest(api, range(3, 4))
        wait_for_details(api, [other], "waiting (1 of 5)")
        wait_until_over(lab)
        assert rows(lab) == [row(3)]

        review(api, [bad], "reject")
        for _ in range(2):
            review(api, [first, second], "approve")
        wait_for_details(api, [first, second, other], "waiting (3 of 5)")
        review(api, [first, second], "approve")
        assert [run["state_type"] for run in wait_until_over(lab)] == ["COMPLETED"] * len(prefect_runs(lab))
        assert sorted(rows(lab)) == sorted([row(0), row(1), row(3)])

        more = suggest(api, range(4, 6))
        wait_for_details(api, [first, second, other, *more], "trained in version 2")
        assert versions(lab) == [1, 2]
        assert details(api, [bad]) == ["refused: a reviewer rejected it"]
    assert sorted(rows(lab)) == sorted(row(number) for number in (0, 1, 3, 4, 5))
    for name in (first, second):
        assert [event.state for event in store.trust.events.of(name)] == [
            "received", "waiting", "quarantined", "approved", "waiting", "trained",
        ]  # fmt: skip


def test_corrections_that_are_approved_while_the_file_still_has_them_are_learnt_once(
    lab: Settings, problem: Problem, store: Store, start_api: StartApi
) -> None:
    ids = let_wait(lab, problem, range(5))
    store.suggestions.trained(ids, 9)
    store.suggestions.quarantine(ids, "version 9 had learnt it, and was taken back")
    with servers.worker(lab), start_api(lab) as api:
        review(api, ids, "approve")
        wait_for_details(api, ids, "trained in version 2")
        wait_until_over(lab)
    assert rows(lab) == [row(number) for number in range(5)]
    assert versions(lab) == [1, 2]


def test_vetting_stops_a_correction_until_a_reviewer_approves_it_and_does_not_stop_it_again(
    lab: Settings, store: Store, start_api: StartApi
) -> None:
    # Both say that a flower is a virginica which lies among setosas.
    lies = [{**correction(number), "class_name": CLASSES[2]} for number in (0, 3)]
    on = lab.model_copy(update={"vetting": "on"})
    with servers.worker(on), start_api(on) as api:
        wait_for("a version", lambda: served_version(api))
        first, second = (api.post("/suggest", json=lie).json()["suggestion_id"] for lie in lies)
        wait_for("a queue of two", lambda: len(listed(api)) == len(lies), within=90)
        queue = listed(api)
        assert [each["correction_id"] for each in queue] == [first, second]
        assert {each["rule"] for each in queue} == {"improbable"}
        assert 0 <= queue[0]["number"] < 0.1
        assert queue[0]["details"]["nearest"]
        assert queue[0]["details"]["answer"] == CLASSES[0]
        wait_until_over(on)
        review(api, [first], "approve")
        review(api, [second], "reject")
        wait_for_details(api, [first], "waiting (1 of 5)")
        wait_until_over(on)
        assert listed(api) == []
    assert len(rows(lab)) == 1
    assert [(event.state, event.actor) for event in store.trust.events.of(first)] == [
        ("received", "127.0.0.1"), ("quarantined", "lab"), ("approved", "127.0.0.1"), ("waiting", "lab"),
    ]  # fmt: skip


def listed(api: httpx.Client) -> list[Any]:
    found: list[Any] = api.get("/corrections").raise_for_status().json()["corrections"]
    return found
