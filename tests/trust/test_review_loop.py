"""Vetting and reviews in the whole loop, on real servers and both databases.

Lies wait, an approved correction is learnt, once, and a rejected one never is.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from filelock import FileLock

from common.problem import Problem
from common.registry.client import Version
from common.settings import Settings
from common.store import Store
from monitor.monitor import create_app
from scripts.parts import wait_for
from tests import servers
from tests.api.inference.test_prediction_log import store_of
from tests.conftest import StartApi, served, served_version
from tests.test_loop import (
    CLASSES,
    correction,
    details,
    let_wait,
    prefect_runs,
    row,
    rows,
    suggest,
    versions,
    wait_for_details,
    wait_until_over,
    without_runs,
)

FAR_OUT = {"sepal_length": 25.0, "sepal_width": 25.0, "petal_length": 25.0, "petal_width": 25.0}


@pytest.fixture
def lab(settings: Settings, trained: Version, prefect_api_url: str, either_url: str) -> Iterator[Settings]:
    """A lab with version 1 and all servers, without vetting, its store first in SQLite, then in PostgreSQL."""
    assert trained.number == 1
    with without_runs(settings, prefect_api_url=prefect_api_url, database_url=either_url) as ready:
        yield ready


@pytest.fixture
def store(lab: Settings) -> Iterator[Store]:
    with store_of(lab) as opened:
        yield opened


def review(api: httpx.Client, ids: list[str], decision: str) -> None:
    api.post("/corrections/review", json={"ids": ids, "decision": decision}).raise_for_status()


@pytest.mark.thorough
@pytest.mark.parametrize("either_url", ["sqlite", "postgresql"], indirect=True)
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


@pytest.mark.thorough
@pytest.mark.parametrize("either_url", ["sqlite"], indirect=True)
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


def send(api: httpx.Client, features: Mapping[str, object], class_name: str) -> str:
    body = {**features, "class_name": class_name}
    return str(api.post("/suggest", json=body).raise_for_status().json()["suggestion_id"])


def states(api: httpx.Client, *ids: str) -> list[str]:
    return [api.get(f"/suggest/{each}").raise_for_status().json()["state"] for each in ids]


def listed(api: httpx.Client) -> dict[str, Any]:
    """Return the corrections in quarantine by their ids, oldest first."""
    found = api.get("/corrections").raise_for_status().json()["corrections"]
    return {each["correction_id"]: each for each in found}


@contextmanager
def page_of(lab: Settings, api: httpx.Client) -> Iterator[httpx.Client]:
    """Run the monitor beside an api; yield a client that sends the forms of its page."""
    here = lab.model_copy(update={"api_url": str(api.base_url)})
    with served(create_app(here)) as monitor:
        monitor.headers.update({"Sec-Fetch-Site": "same-origin", "Accept": "text/html"})
        yield monitor


@pytest.mark.parametrize(
    "either_url", [pytest.param("sqlite", marks=pytest.mark.thorough), "postgresql"], indirect=True
)
def test_lies_wait_while_good_corrections_are_learnt_and_one_that_is_approved_on_the_page_is_in_the_next_version(
    lab: Settings, store: Store, start_api: StartApi
) -> None:
    on = lab.model_copy(update={"vetting": "on"})
    with servers.worker(on), start_api(on) as api:
        wait_for("version 1", lambda: served_version(api) == 1)
        flat, doubted = correction(0), correction(9)
        for each in (flat, doubted):
            del each["class_name"]
        with FileLock(on.data_dir / "finetune.lock"):
            lies = [send(api, FAR_OUT, CLASSES[0]), send(api, flat | {"sepal_width": 3.45}, CLASSES[2])]
            # Somebody contradicts a right correction, so that nobody knows who is right until a reviewer looks.
            right, wrong = (send(api, doubted, name) for name in (CLASSES[0], CLASSES[2]))
            ids = suggest(api, range(5))
            [again] = suggest(api, range(1))
        wait_for_details(api, ids, "trained in version 2", within=240)
        wait_for("version 2", lambda: served_version(api) == 2)
        wait_until_over(on)
        assert states(api, *lies, right, wrong, again) == ["quarantined"] * 4 + ["refused"]
        assert "of 0 % by the 10 nearest known rows" in details(api, lies)[1]
        assert rows(lab) == [row(number) for number in range(5)]
        assert versions(lab) == [1, 2]
        queue = listed(api)
        assert list(queue) == [*lies, right, wrong]
        assert [each["rule"] for each in queue.values()] == ["outlier", "improbable", *["contradiction"] * 2]
        assert 0 <= queue[lies[1]]["number"] < 0.1
        assert queue[lies[1]]["details"]["answer"] == CLASSES[0]
        assert len(queue[right]["details"]["nearest"]) == 5

        with page_of(on, api) as page:
            shown = page.get("/tab/corrections").text
            assert all(each in shown for each in queue)
            assert page.post("/review", data={"one": f"approve|{right}", "note": "measured again"}).status_code == 303
            rejected = {"decision": "reject", "correction": [*lies, wrong], "note": ""}
            assert page.post("/review", data=rejected).status_code == 303
        assert listed(api) == {}
        wait_for_details(api, [right], "waiting (1 of 5)")
        more = suggest(api, range(5, 9))
        wait_for_details(api, [right, *more], "trained in version 3", within=240)
        wait_for("version 3", lambda: served_version(api) == 3)
        wait_until_over(on)
        assert states(api, *lies, wrong) == ["refused"] * 3
    assert sorted(rows(lab)) == sorted(row(number) for number in range(10))
    assert versions(lab) == versions(lab, "IrisDev") == [1, 2, 3]
    assert store.trust.versions.that_learnt("iris", [right]) == [3]
    assert [(event.state, event.actor) for event in store.trust.events.of(right)] == [
        ("received", "127.0.0.1"), ("quarantined", "lab"), ("approved", "127.0.0.1"), ("waiting", "lab"),
        ("trained", "lab"),
    ]  # fmt: skip
