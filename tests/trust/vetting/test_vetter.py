"""Vetting in the flow: which corrections reach finetune.csv, what the others wait for, and what a kill leaves."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from uuid import uuid4

import pytest

from common.problem import Problem, Value
from common.registry.client import RegistryUnavailableError
from common.settings import Settings
from common.store import Store
from common.store.suggestions import Suggestion
from finetune.append import append_corrections
from scripts.parts import free_port
from tests.common.store.rows import SETOSA, VERSICOLOR, VIRGINICA, prediction
from tests.conftest import RegisterByHand
from trust.vetting.vetter import vetter

SETOSAS = ((5.05, 3.45, 1.45, 0.25), (4.95, 3.35, 1.45, 0.25), (5.15, 3.55, 1.45, 0.25), (5.0, 3.42, 1.51, 0.21))
IN_TRAIN = (5.0, 3.6, 1.4, 0.2)  # a row of train.csv, which has it as setosa
FAR_OUT = (25.0, 25.0, 25.0, 25.0)
NEW_WORLD = tuple((6.4 + number / 50, 3.1, 4.6 + number / 50, 1.5) for number in range(20))  # setosas with long petals


@pytest.fixture
def lab(settings: Settings, register_by_hand: RegisterByHand, bundle: bytes, either_url: str) -> Settings:
    """A lab with version 1, its store first in SQLite, then in PostgreSQL, and with vetting."""
    assert register_by_hand(bundle) == 1
    return settings.model_copy(update={"database_url": either_url, "vetting": "on"})


@pytest.fixture
def store(lab: Settings) -> Iterator[Store]:
    with closing(Store(lab.database_url)) as opened:
        yield opened


def named(problem: Problem, row: tuple[float, ...]) -> Mapping[str, Value]:
    return dict(zip(problem.columns, row, strict=True))


Send = Callable[..., str]


@pytest.fixture
def send(lab: Settings, store: Store, problem: Problem) -> Send:
    """Receive a correction as the api does; return its id."""
    del lab

    def send_one(row: tuple[float, ...], class_name: str, source: str = "192.0.2.1", about: str | None = None) -> str:
        one = Suggestion(str(uuid4()), problem.name, named(problem, row), class_name, about, source=source)
        store.suggestions.add(one)
        return one.id

    return send_one


def run(lab: Settings, store: Store, problem: Problem) -> None:
    """Take in all corrections, as a flow run does; the run was started for another one, a setosa."""
    row = named(problem, (5.1 + len(store.suggestions.waiting(problem.name)) / 100, 3.5, 1.45, 0.21))
    first = Suggestion(str(uuid4()), problem.name, row, SETOSA, source="key")
    append_corrections(store, problem, first, lab.corrections, vetter(problem, lab, store))


def states(store: Store, *ids: str) -> list[str]:
    return [found.state for each in ids if (found := store.suggestions.get(each))]


def test_good_corrections_are_learnt(lab: Settings, store: Store, problem: Problem, send: Send) -> None:
    ids = [send(row, SETOSA) for row in SETOSAS]
    run(lab, store, problem)
    assert states(store, *ids) == ["waiting"] * 4
    verdicts = store.trust.vettings.of(ids)
    assert {(each.outcome, each.rule) for each in verdicts.values()} == {("passed", "none")}
    assert [each.state for each in store.trust.events.of(ids[0])] == ["received", "vetted", "waiting"]


def test_vetting_works_where_no_copy_of_a_bundle_can_be_kept(
    lab: Settings, store: Store, problem: Problem, send: Send
) -> None:
    lab.state_dir.mkdir(parents=True, exist_ok=True)
    (lab.state_dir / "vetting").write_bytes(b"a file, where the folder of the copies would be")
    sent = send(SETOSAS[0], SETOSA)
    run(lab, store, problem)
    assert states(store, sent) == ["waiting"]


def why(store: Store, name: str) -> tuple[str, str]:
    """Return the rule that keeps a correction in quarantine, and the reason in words."""
    found = store.suggestions.get(name)
    assert found is not None
    assert found.quarantined_because
    return store.trust.vettings.of([name])[name].rule, found.quarantined_because


def test_a_lie_waits_with_its_rule_its_number_and_all_that_a_reviewer_needs(
    lab: Settings, store: Store, problem: Problem, send: Send
) -> None:
    lie, far, against = send(SETOSAS[0], VIRGINICA), send(FAR_OUT, VIRGINICA), send(IN_TRAIN, VERSICOLOR)
    run(lab, store, problem)
    assert states(store, lie, far, against) == ["quarantined"] * 3
    rule, because = why(store, lie)
    assert rule == "improbable"
    assert because.startswith("the probability of Iris-virginica is ")
    assert " and 17.5 % is the least: the mean of 0 % by the 10 nearest known rows and of " in because
    assert why(store, far)[0] == "outlier"
    assert why(store, against) == ("contradiction", "train.csv says Iris-setosa for the same row")
    assert lab.corrections.read_text().count("\n") == 1
    vetting = store.trust.vettings.of([lie])[lie]
    assert vetting.number is not None
    assert 0 <= vetting.number < 0.01
    details = vetting.details
    assert (details["answer"], details["anchor"]["answer"]) == (SETOSA, SETOSA)
    assert details["confidence"] > 0.9
    near = details["nearest"]
    assert [each["class_name"] for each in near] == [SETOSA] * 5
    assert [each["distance"] for each in near] == sorted(each["distance"] for each in near)
    assert set(near[0]["features"]) == set(problem.columns)
    picture = store.trust.vettings.map_of(problem.name, details["anchor_version"])
    assert picture is not None
    assert picture["axes"] == ["petal_length", "petal_width"]
    assert details["at"] == [SETOSAS[0][2], SETOSAS[0][3]]
    assert len(picture["points"]) == 120
    assert picture["classes"] == list(problem.target.classes)


def test_what_train_csv_knows_is_not_learnt_again(lab: Settings, store: Store, problem: Problem, send: Send) -> None:
    known = send(IN_TRAIN, SETOSA)
    run(lab, store, problem)
    found = store.suggestions.get(known)
    assert found is not None
    assert found.refused_because == "known: train.csv has the same row with the same class"


def test_a_correction_that_comes_twice_counts_once(lab: Settings, store: Store, problem: Problem, send: Send) -> None:
    first, again = send(SETOSAS[0], SETOSA), send(SETOSAS[0], SETOSA)
    run(lab, store, problem)
    later = send(SETOSAS[0], SETOSA, source="198.51.100.7")
    run(lab, store, problem)
    assert states(store, first, again, later) == ["waiting", "refused", "refused"]


def test_a_lie_that_is_repeated_waits_once(lab: Settings, store: Store, problem: Problem, send: Send) -> None:
    first, again = send(SETOSAS[0], VIRGINICA), send(SETOSAS[0], VIRGINICA)
    run(lab, store, problem)
    assert states(store, first, again) == ["quarantined", "refused"]


def test_two_sources_that_say_the_same_skip_the_queue(
    lab: Settings, store: Store, problem: Problem, send: Send
) -> None:
    first = send(FAR_OUT, VIRGINICA)
    run(lab, store, problem)
    assert states(store, first) == ["quarantined"]
    second = send(FAR_OUT, VIRGINICA, source="198.51.100.7")
    run(lab, store, problem)
    assert states(store, first, second) == ["waiting", "waiting"]
    assert store.trust.vettings.of([first])[first].outcome == "approved"
    assert [each.state for each in store.trust.events.of(first)] == ["received", "quarantined", "approved", "waiting"]


def test_two_addresses_of_one_network_are_one_source(lab: Settings, store: Store, problem: Problem, send: Send) -> None:
    first, second = (send(FAR_OUT, VIRGINICA, source=f"2001:db8::{host}") for host in (1, 2))
    run(lab, store, problem)
    assert states(store, first, second) == ["quarantined", "refused"]


def test_corrections_that_contradict_each_other_both_wait(
    lab: Settings, store: Store, problem: Problem, send: Send
) -> None:
    between = (6.0, 2.7, 5.0, 1.65)  # where two classes overlap, so that no other rule finds it
    first = send(between, VIRGINICA)
    run(lab, store, problem)
    assert states(store, first) == ["waiting"]
    second = send(between, VERSICOLOR)
    run(lab, store, problem)
    assert states(store, first, second) == ["quarantined"] * 2
    assert {why(store, each)[0] for each in (first, second)} == {"contradiction"}
    assert "6.0,2.7,5.0,1.65" not in lab.corrections.read_text()
    assert store.trust.vettings.of([first])[first].details["nearest"]


def test_a_correction_that_a_version_has_learnt_stays_when_another_contradicts_it(
    lab: Settings, store: Store, problem: Problem, send: Send
) -> None:
    between = (6.0, 2.7, 5.0, 1.65)
    first = send(between, VIRGINICA)
    run(lab, store, problem)
    store.suggestions.trained([first], 2)
    second = send(between, VERSICOLOR)
    run(lab, store, problem)
    assert states(store, first, second) == ["trained", "quarantined"]


def test_what_a_reviewer_sends_needs_no_vetting(lab: Settings, store: Store, problem: Problem, send: Send) -> None:
    sent = send(FAR_OUT, VIRGINICA, source="review key")
    run(lab, store, problem)
    assert states(store, sent) == ["waiting"]
    assert store.trust.vettings.of([sent])[sent].outcome == "exempt"


@pytest.mark.parametrize(
    ("trusted", "told_by", "corrected", "state"),
    [
        (True, "key", FAR_OUT, "waiting"),
        (True, "key", (24.0, 25.0, 25.0, 25.0), "quarantined"),  # another row than the prediction's
        (False, "198.51.100.7", FAR_OUT, "waiting"),
        (False, "192.0.2.1", FAR_OUT, "quarantined"),  # one client has said both
    ],
)
def test_a_correction_whose_ground_truth_somebody_else_told_needs_no_vetting(  # noqa: PLR0913, PLR0917
    lab: Settings, store: Store, problem: Problem, send: Send,
    trusted: bool, told_by: str, corrected: tuple[float, ...], state: str,  # noqa: FBT001
) -> None:  # fmt: skip
    about = str(uuid4())
    store.predictions.write([prediction(about) | {"features": named(problem, FAR_OUT)}])
    store.feedback.give(about, VIRGINICA, source=told_by, trusted=trusted)
    sent = send(corrected, VIRGINICA, about=about)
    run(lab, store, problem)
    assert states(store, sent) == [state]


def test_live_ground_truths_make_a_changed_world_plausible(
    lab: Settings, store: Store, problem: Problem, send: Send
) -> None:
    before = send(NEW_WORLD[0], SETOSA)
    run(lab, store, problem)
    assert states(store, before) == ["quarantined"]
    for row in NEW_WORLD[2:]:
        name = str(uuid4())
        store.predictions.write([prediction(name) | {"features": named(problem, row)}])
        store.feedback.give(name, SETOSA)
    after = send(NEW_WORLD[1], SETOSA)
    run(lab, store, problem)
    assert states(store, before, after) == ["quarantined", "waiting"]


def test_with_vetting_off_everything_is_learnt(lab: Settings, store: Store, problem: Problem, send: Send) -> None:
    ids = [send(FAR_OUT, SETOSA), send(FAR_OUT, SETOSA), send(IN_TRAIN, VIRGINICA)]
    run(lab.model_copy(update={"vetting": "off"}), store, problem)
    assert states(store, *ids) == ["waiting"] * 3


def test_corrections_that_came_without_vetting_are_known_and_contradicted_later(
    lab: Settings, store: Store, problem: Problem, send: Send
) -> None:
    between = (6.0, 2.7, 5.0, 1.65)
    old, contradicted = send(SETOSAS[0], SETOSA), send(between, VIRGINICA)
    run(lab.model_copy(update={"vetting": "off"}), store, problem)
    again, against = send(SETOSAS[0], SETOSA), send(between, VERSICOLOR)
    run(lab, store, problem)
    assert states(store, old, again, contradicted, against) == ["waiting", "refused", "quarantined", "quarantined"]


def test_what_was_vetted_is_not_vetted_again(lab: Settings, store: Store, problem: Problem, send: Send) -> None:
    lie, good = send(FAR_OUT, VIRGINICA), send(SETOSAS[0], SETOSA)
    found = store.suggestions.without_row(problem.name, 10)
    assert [each.id for each in vetter(problem, lab, store)(found)] == [good]
    nobody = lab.model_copy(update={"mlflow_uri": f"http://127.0.0.1:{free_port()}"})
    found = store.suggestions.without_row(problem.name, 10)
    assert [each.id for each in vetter(problem, nobody, store)(found)] == [good]
    assert states(store, lie) == ["quarantined"]


def test_without_mlflow_nothing_changes_and_a_later_run_vets(
    lab: Settings, store: Store, problem: Problem, send: Send
) -> None:
    lie, good = send(FAR_OUT, VIRGINICA), send(SETOSAS[0], SETOSA)
    nobody = lab.model_copy(update={"mlflow_uri": f"http://127.0.0.1:{free_port()}"})
    with pytest.raises(RegistryUnavailableError):
        run(nobody, store, problem)
    assert states(store, lie, good) == ["received"] * 2
    assert store.trust.vettings.of([lie, good]) == {}
    run(lab, store, problem)
    assert states(store, lie, good) == ["quarantined", "waiting"]


class Killed(BaseException):
    """The end of a process."""


@pytest.mark.parametrize(
    "place",
    [
        "common.store.trust.vettings.Vettings.keep_map",
        "common.store.trust.vettings.Vettings.record",
        "common.store.trust.vettings.Vettings._release",
        "common.store.trust.vettings.Vettings._contradict",
        "common.store.suggestions.Suggestions.reserve_row",
        "common.store.suggestions.Suggestions.row_written",
        "finetune.append.remove_refused",
    ],
)
def test_a_run_that_is_killed_anywhere_and_tried_again_ends_as_one_that_was_not(  # noqa: PLR0913, PLR0917
    place: str, lab: Settings, store: Store, problem: Problem, send: Send,
    register_by_hand: RegisterByHand, bundle: bytes, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    between = (6.0, 2.7, 5.0, 1.65)
    contradicted, confirmed = send(between, VIRGINICA), send(FAR_OUT, VIRGINICA)
    run(lab, store, problem)
    ids = [
        contradicted, confirmed, send(between, VERSICOLOR), send(FAR_OUT, VIRGINICA, source="198.51.100.7"),
        send(SETOSAS[0], SETOSA), send(SETOSAS[0], SETOSA), send(SETOSAS[1], VIRGINICA),
    ]  # fmt: skip

    def kill(*_: object, **__: object) -> None:
        raise Killed

    if place.endswith("keep_map"):  # of a new anchor, as after a training
        assert register_by_hand(bundle) == 2
    with monkeypatch.context() as patch:
        patch.setattr(place, kill)
        with pytest.raises(Killed):
            run(lab, store, problem)
    run(lab, store, problem)
    expected = ["quarantined", "waiting", "quarantined", "waiting", "waiting", "refused", "quarantined"]
    assert states(store, *ids) == expected
    lines = lab.corrections.read_text().splitlines()
    assert lines.count("25.0,25.0,25.0,25.0,2") == 2
    assert not any(line.startswith("6.0,2.7") for line in lines)
    assert sum(line.startswith("5.05,3.45") for line in lines) == 1
    for one in ids:
        changes = [(each.state, each.reason) for each in store.trust.events.of(one)]
        assert len(changes) == len(set(changes))
    assert set(store.trust.vettings.of(ids)) == set(ids)
