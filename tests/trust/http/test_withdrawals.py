"""Taking corrections back over HTTP: the answer before, the withdrawal itself, and its outcome."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import httpx
import pytest

from common.problem import Problem
from common.registry.client import Version
from common.settings import Settings
from common.store import Store
from tests.common.store.rows import prediction, suggestion
from tests.conftest import StartApi, running_api
from tests.finetune.quick_lab import do_without_prefect, one_way
from tests.trust.withdrawal.test_rebuild import aliases, end, learn, withdraw

KEY, REVIEWER = {"X-API-Key": "k"}, {"X-API-Key": "r"}
WHY = {"reason": "a wrong label"}


@pytest.fixture
def guarded(on_either: Settings) -> Settings:
    return Settings(**on_either.model_dump(exclude={"api_key", "review_key"}), api_key="k", review_key="r")


@pytest.fixture
def store(guarded: Settings) -> Iterator[Store]:
    with closing(Store(guarded.database_url)) as opened:
        yield opened


@pytest.fixture
def api(guarded: Settings, store: Store) -> Iterator[httpx.Client]:
    """A client of an api without other servers, which sends the review key."""
    assert store
    with running_api(guarded) as client:
        client.headers.update(REVIEWER)
        yield client


def learnt(store: Store, *names: str, version: int = 2, source: str | None = None) -> None:
    """Let a version have learnt corrections."""
    for name in names:
        store.suggestions.add(suggestion(name, source=source))
    store.suggestions.row_written(*names)
    store.trust.versions.learnt("iris", version)
    store.suggestions.trained(list(names), version)


def test_a_dry_run_says_which_versions_learnt_it_and_how_often_they_answered(api: httpx.Client, store: Store) -> None:
    learnt(store, "a")
    store.predictions.write([prediction(str(number), version=2) for number in range(3)])
    answer = api.post("/corrections/a/withdraw", params={"dry_run": True}, json=WHY)
    assert answer.status_code == 200
    found = answer.json()
    assert found["versions"] == [{"version": 2, "answers": 3}]
    assert (found["corrections"], found["request_id"]) == (1, None)
    assert "version 2 learnt them, and gave 3 answers" in found["plan"]
    assert api.get("/corrections/a/withdrawal").status_code == 404
    state = store.suggestions.get("a")
    assert state
    assert state.state == "trained"


def test_a_withdrawal_tells_its_state_in_words(api: httpx.Client, store: Store) -> None:
    ids = [str(uuid4()) for _ in range(2)]
    learnt(store, *ids)
    answer = api.post(f"/corrections/{ids[0]}/withdraw", json=WHY)
    assert answer.status_code == 202
    shown = api.get(f"/corrections/{ids[0]}/withdrawal").json()
    assert (shown["actor"], shown["reason"], shown["closed_at"]) == ("review key", "a wrong label", None)
    assert shown["request_id"] == answer.json()["request_id"]
    assert "no version learns it any more" in shown["outcome"]
    store.suggestions.rows_removed([ids[0]])
    store.trust.withdrawals.close("iris", {ids[0]: "version 3 serves"}, 3)
    shown = api.get(f"/corrections/{ids[0]}/withdrawal").json()
    assert (shown["outcome"], shown["model_version"]) == ("version 3 serves", 3)
    assert api.get("/corrections/withdrawals").json() == {"withdrawals": [shown]}


def test_the_state_of_a_correction_says_what_became_of_its_withdrawal_and_figures_only_with_the_key(
    api: httpx.Client, store: Store
) -> None:
    learnt(store, *(ids := [str(uuid4()) for _ in range(2)]))

    def told(name: str) -> tuple[str, str]:
        """Return the detail for clients with the key, and for others."""
        answers = [api.get(f"/suggest/{name}", headers=headers).json() for headers in (KEY, {"X-API-Key": ""})]
        assert {answer["state"] for answer in answers} == {"withdrawn"}
        return answers[0]["detail"], answers[1]["detail"]

    for name in ids:
        api.post(f"/corrections/{name}/withdraw", json=WHY).raise_for_status()
    waits = "no version learns it any more; a flow run is about to see to it"
    assert told(ids[0]) == (f"withdrawn: a wrong label; {waits}", f"withdrawn: somebody took it back; {waits}")
    store.trust.withdrawals.has_run("iris", "r", None)
    assert [words.endswith("; flow run r sees to it") for words in told(ids[0])] == [True, True]
    store.suggestions.rows_removed(ids)
    store.trust.withdrawals.close("iris", {ids[0]: "version 3 serves: it loses 7.5 points"}, 3)
    assert told(ids[0]) == (
        "withdrawn: a wrong label; version 3 serves: it loses 7.5 points",
        "withdrawn: somebody took it back; no version in service has learnt it any more: version 3 serves",
    )
    store.trust.withdrawals.close("iris", {ids[1]: "no version had learnt it"}, None)
    assert [words.partition("; ")[2] for words in told(ids[1])] == ["no version had learnt it"] * 2


@pytest.mark.parametrize("which", [{"ids": ["a", "b"]}, {"source": "192.0.2.1"}, {"version": 2}])
def test_all_of_a_list_a_client_or_a_batch_are_withdrawn_together(
    api: httpx.Client, store: Store, which: dict[str, Any]
) -> None:
    learnt(store, "a", "b", source="192.0.2.1")
    learnt(store, "c", version=3)
    first, second = (api.post("/corrections/withdraw", json={**WHY, **which}).json() for _ in range(2))
    assert (first["corrections"], first["withdrawn_before"], first["left"]) == (2, 0, 0)
    assert (second["corrections"], second["withdrawn_before"], second["request_id"]) == (0, 2, None)
    assert second["plan"].startswith("nothing")
    found = api.get("/corrections/withdrawals").json()["withdrawals"]
    assert {each["correction_id"] for each in found} == {"a", "b"}
    assert {each["request_id"] for each in found} == {first["request_id"]}


def test_an_unknown_correction_is_a_404_and_nothing_is_withdrawn(api: httpx.Client, store: Store) -> None:
    learnt(store, "a")
    assert api.post("/corrections/unknown/withdraw", json=WHY).status_code == 404
    answer = api.post("/corrections/withdraw", json={**WHY, "ids": ["a", "unknown"]})
    assert answer.status_code == 404
    assert "unknown" in answer.json()["detail"]
    assert store.trust.withdrawals.newest("iris", 9) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        WHY,
        {**WHY, "ids": []},
        {**WHY, "ids": ["a"], "version": 2},
        {**WHY, "ids": ["a"] * 1001},
        {**WHY, "ids": ["a\u0000"]},
        {**WHY, "version": 0},
        {**WHY, "version": 2**31},
        {**WHY, "source": ""},
        {"reason": "", "ids": ["a"]},
        {"reason": "x" * 501, "ids": ["a"]},
        {**WHY, "ids": ["a"], "more": 1},
    ],
)
def test_a_bad_body_is_refused_by_its_field(api: httpx.Client, store: Store, body: dict[str, Any]) -> None:
    learnt(store, "a")
    answer = api.post("/corrections/withdraw", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert store.trust.withdrawals.newest("iris", 9) == []


@pytest.mark.parametrize("headers", [{"X-API-Key": ""}, KEY])
def test_only_a_reviewer_takes_corrections_back(api: httpx.Client, store: Store, headers: dict[str, str]) -> None:
    learnt(store, "a")
    for path in ("/corrections/a/withdraw", "/corrections/withdraw"):
        for dry_run in (False, True):
            answer = api.post(path, params={"dry_run": dry_run}, json={**WHY, "ids": ["a"]}, headers=headers)
            assert answer.status_code == 401
    for path in ("/corrections/withdrawals", "/corrections/a/withdrawal"):
        assert api.get(path, headers=headers).status_code == 401
    assert store.trust.withdrawals.newest("iris", 9) == []


def test_a_correction_without_features_breaks_no_route(api: httpx.Client, store: Store) -> None:
    name = str(uuid4())
    store.suggestions.add(suggestion(name))
    store.trust.withdrawals.request("iris", [name], str(uuid4()), "review key", "erase me", erase=True)
    store.trust.withdrawals.close("iris", {name: "no version had learnt it"}, None)
    assert api.get(f"/suggest/{name}").json()["detail"] == "withdrawn: erase me; no version had learnt it"
    assert api.get(f"/corrections/{name}").json()["features"] == {}
    assert api.get("/corrections", params={"state": "withdrawn"}).json()["corrections"][0]["correction_id"] == name
    assert api.get(f"/corrections/{name}/withdrawal").json()["erase"] is True


def test_no_alias_is_moved_to_a_version_that_learnt_a_withdrawn_correction(
    settings: Settings, trained: Version, start_api: StartApi, tainted_lab: Store
) -> None:
    assert trained.number == 1
    with start_api(settings) as api:
        for path in ("/models/2/promote", "/models/2/challenge"):
            answer = api.post(path)
            assert answer.status_code == 409, answer.text
            assert "version 2 has learnt corrections that were withdrawn" in answer.json()["detail"]
        tainted_lab.champions.note("IrisModel", 2)
        tainted_lab.champions.note("IrisModel", 3)
        answer = api.post("/models/3/rollback")
        assert answer.status_code == 409, answer.text
        assert aliases(settings)["champion"] == 3
        assert api.post("/models/1/promote").status_code == 200


@pytest.fixture
def tainted_lab(settings: Settings, problem: Problem, trained: Version) -> Iterator[Store]:
    """The store of a lab in which version 3 has replaced version 2, which had learnt a withdrawn correction."""
    assert trained
    quick = one_way(problem)
    with closing(Store(settings.database_url)) as opened, pytest.MonkeyPatch.context() as patched:
        do_without_prefect(patched)
        sent = learn(settings, quick, opened, range(5))
        withdraw(opened, sent[0])
        end(settings, quick, opened)
        yield opened
