"""finetune.csv has every correction once, whatever is retried, killed or edited by hand."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from common.problem import Problem, get_problem
from common.settings import Settings
from common.store import Store
from common.store.suggestions import Suggestion
from common.table import read_table
from finetune.append import BadCorrectionError, append_corrections

Append = Callable[[Suggestion], int]

BY_HAND = "4.9,3.0,1.4,0.2,0\n6.0,2.2,4.0,1.0,1\n"


@pytest.fixture
def store(offline: Settings) -> Iterator[Store]:
    opened = Store(offline.database_url)
    yield opened
    opened.close()


@pytest.fixture
def path(offline: Settings) -> Path:
    return offline.corrections


@pytest.fixture
def append(store: Store, problem: Problem, path: Path) -> Append:
    """Append a correction; return how many wait afterwards."""

    def append_one(suggestion: Suggestion) -> int:
        append_corrections(store, problem, suggestion, path)
        return len(store.suggestions.waiting(problem.name))

    return append_one


def correction(number: int, class_name: str = "Iris-virginica") -> Suggestion:
    """Return a correction; its first feature is `number`."""
    features = {"sepal_length": float(number), "sepal_width": 3.3, "petal_length": 6.0, "petal_width": 2.5}
    return Suggestion(str(uuid4()), "iris", features, class_name)


def line(suggestion: Suggestion) -> str:
    return f"{suggestion.features['sepal_length']},3.3,6.0,2.5,2\n"


def hand_over(store: Store, suggestion: Suggestion) -> Suggestion:
    store.suggestions.add(suggestion)
    store.suggestions.delivered(suggestion.id, str(uuid4()))
    return suggestion


def state(store: Store, suggestion: Suggestion) -> str:
    known = store.suggestions.get(suggestion.id)
    assert known is not None
    return known.state


def test_a_correction_is_written_and_waits(store: Store, append: Append, path: Path, problem: Problem) -> None:
    suggestion = hand_over(store, correction(1))
    assert append(suggestion) == 1
    assert path.read_text() == line(suggestion)
    assert state(store, suggestion) == "waiting"
    table = read_table(path, problem, indices=True)
    assert (table.X.tolist(), table.y.tolist()) == ([[1.0, 3.3, 6.0, 2.5]], [2])


def test_one_that_came_past_the_api_is_written_and_known_afterwards(store: Store, append: Append, path: Path) -> None:
    suggestion = correction(1)
    assert append(suggestion) == 1
    assert path.read_text() == line(suggestion)
    assert state(store, suggestion) == "waiting"


def test_one_that_came_past_the_api_is_not_delivered_once_more(store: Store, append: Append) -> None:
    append(correction(1))
    assert store.suggestions.due("iris", datetime.now(UTC) + timedelta(days=1), 10) == []


def test_the_same_twice_is_one_row(store: Store, append: Append, path: Path) -> None:
    suggestion = hand_over(store, correction(1))
    assert [append(suggestion), append(suggestion)] == [1, 1]
    assert path.read_text() == line(suggestion)


def test_equal_rows_of_two_suggestions_are_two_rows(store: Store, append: Append, path: Path) -> None:
    twins = [hand_over(store, correction(1)) for _ in range(2)]
    for twin in twins:
        append(twin)
    assert path.read_text() == line(twins[0]) * 2


def test_all_others_are_taken_along_handed_over_or_not(
    store: Store, append: Append, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finetune.append.MAX_ROWS", 3)
    many = [hand_over(store, correction(number)) for number in range(6)]
    many += [correction(number) for number in range(6, 8)]
    for not_handed_over in many[6:]:
        store.suggestions.add(not_handed_over)
    assert append(many[0]) == 8
    assert path.read_text() == "".join(map(line, many))
    assert {state(store, suggestion) for suggestion in many} == {"waiting"}
    assert store.suggestions.due("iris", datetime.now(UTC) + timedelta(days=1), 10) == []


def test_who_is_taken_along_has_the_run_that_did_it(store: Store, append: Append) -> None:
    ours, others = (str(uuid4()) for _ in range(2))
    delivered, received = correction(1), correction(2)
    for suggestion in (delivered, received):
        store.suggestions.add(suggestion)
    store.suggestions.delivered(delivered.id, others)
    store.suggestions.delivery_failed(received.id, "Prefect was away", datetime.now(UTC))
    append(replace(correction(0), flow_run_id=ours))
    found = [store.suggestions.get(suggestion.id) for suggestion in (delivered, received)]
    assert [(known.flow_run_id, known.last_error) for known in found if known] == [(ours, None)] * 2


def test_corrections_of_another_problem_are_left(store: Store, append: Append, path: Path) -> None:
    hand_over(store, replace(correction(1), problem="wine"))
    first = hand_over(store, correction(2))
    assert append(first) == 1
    assert path.read_text() == line(first)


def test_others_are_taken_along_however_many_wait(store: Store, append: Append, path: Path) -> None:
    for number in range(5):
        append(hand_over(store, correction(number)))
    late = hand_over(store, correction(6))
    assert append(hand_over(store, correction(5))) == 7
    assert state(store, late) == "waiting"
    assert len(path.read_text().splitlines()) == 7


def test_what_was_learnt_no_longer_waits(store: Store, append: Append, path: Path) -> None:
    learnt = hand_over(store, correction(1))
    append(learnt)
    store.suggestions.trained([learnt.id], 2)
    assert append(hand_over(store, correction(2))) == 1
    assert append(learnt) == 1
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("by_hand", [BY_HAND, BY_HAND.rstrip("\n"), BY_HAND + "\n\n", BY_HAND.replace("\n", "\r\n")])
def test_rows_written_by_hand_stay(store: Store, append: Append, path: Path, by_hand: str) -> None:
    path.write_bytes(by_hand.encode())
    many = [hand_over(store, correction(number)) for number in range(2)]
    assert append(many[0]) == 2
    assert path.read_text() == BY_HAND + "".join(map(line, many))


def test_a_row_by_hand_with_an_odd_character_stays_one_row(store: Store, append: Append, path: Path) -> None:
    by_hand = "4.9,3.0\u2028,1.4,0.2,0\n"
    path.write_text(by_hand, encoding="utf-8")
    first = hand_over(store, correction(1))
    append(first)
    assert path.read_text(encoding="utf-8") == by_hand + line(first)


def reserve(store: Store, path: Path, *suggestions: Suggestion) -> None:
    """Leave corrections as a process does that ends before it writes their rows."""
    rows = len(path.read_text().splitlines()) if path.exists() else 0
    store.suggestions.reserve_row(*(replace(each, row_number=rows + place) for place, each in enumerate(suggestions)))


def write(path: Path, *suggestions: Suggestion) -> None:
    """Write the rows as a process does that ends before it notes them as written."""
    with path.open("a") as file:
        file.writelines(map(line, suggestions))


@pytest.mark.parametrize("written", [False, True], ids=["before the row is written", "before that is noted"])
@pytest.mark.parametrize("by_itself", [False, True], ids=["another comes first", "it is tried again"])
def test_an_end_in_between_loses_and_doubles_nothing(
    store: Store, append: Append, path: Path, *, written: bool, by_itself: bool
) -> None:
    path.write_text(BY_HAND)
    killed = hand_over(store, correction(1))
    reserve(store, path, killed)
    if written:
        write(path, killed)
    other = hand_over(store, correction(2))
    if by_itself:
        append(killed)
    append(other)
    append(killed)
    assert path.read_text() == BY_HAND + line(killed) + line(other)
    assert [state(store, suggestion) for suggestion in (killed, other)] == ["waiting", "waiting"]


@pytest.mark.parametrize("written", [False, True], ids=["before the row is written", "before that is noted"])
def test_a_row_that_is_written_by_hand_after_an_end_in_between_changes_nothing(
    store: Store, append: Append, path: Path, *, written: bool
) -> None:
    killed = hand_over(store, correction(1))
    reserve(store, path, killed)
    if written:
        write(path, killed)
    with path.open("a") as file:
        file.write(BY_HAND)
    assert append(killed) == 1
    assert sorted(path.read_text().splitlines()) == sorted((BY_HAND + line(killed)).splitlines())


def refuse(store: Store, suggestion: Suggestion) -> None:
    store.suggestions.refused([suggestion.id], "it made the model worse")


def test_the_row_of_a_refused_correction_leaves_the_file_and_stays_in_the_store(
    store: Store, append: Append, path: Path
) -> None:
    path.write_text(BY_HAND)
    refused, other = (hand_over(store, correction(number)) for number in (1, 2))
    append(refused)
    refuse(store, refused)
    assert append(other) == 1
    assert path.read_text() == BY_HAND + line(other)
    assert append(refused) == 1
    assert path.read_text() == BY_HAND + line(other)
    assert state(store, refused) == "refused"
    assert store.suggestions.due("iris", datetime.now(UTC) + timedelta(days=1), 10) == []


@pytest.mark.parametrize("removed", [False, True], ids=["before the file is replaced", "before that is noted"])
def test_of_equal_rows_only_the_refused_one_leaves_also_after_an_end_in_between(
    store: Store, append: Append, path: Path, *, removed: bool
) -> None:
    learnt, refused, other = (hand_over(store, correction(number)) for number in (1, 1, 2))
    append(learnt)
    refuse(store, refused)
    if removed:
        path.write_text(line(learnt) + line(other))
    for _ in range(2):
        append(other)
    assert path.read_text() == line(learnt) + line(other)


@pytest.mark.parametrize("written", [False, True], ids=["before the rows are written", "before that is noted"])
@pytest.mark.parametrize("by_hand", ["", BY_HAND], ids=["untouched", "with rows by hand since"])
def test_an_end_amid_many_loses_and_doubles_nothing(
    store: Store, append: Append, path: Path, by_hand: str, *, written: bool
) -> None:
    killed = [hand_over(store, correction(number)) for number in (1, 2, 2, 2, 3)]
    reserve(store, path, *killed)
    if written:
        write(path, *killed)
    with path.open("a") as file:
        file.write(by_hand)
    other = hand_over(store, correction(2))
    assert append(other) == 6
    assert sorted(path.read_text().splitlines(keepends=True)) == sorted(
        [*map(line, [*killed, other]), *by_hand.splitlines(keepends=True)]
    )


def test_the_file_is_replaced_whole(store: Store, append: Append, path: Path) -> None:
    append(hand_over(store, correction(1)))
    before = path.stat().st_ino
    append(hand_over(store, correction(2)))
    assert path.stat().st_ino != before
    assert [other.name for other in path.parent.iterdir() if other.name.startswith(".finetune")] == []


BAD = {
    "an unknown class": correction(1, "Iris-unknown"),
    "no number": replace(correction(1), features={**correction(1).features, "petal_width": float("nan")}),
    "an infinite number": replace(correction(1), features={**correction(1).features, "petal_width": float("inf")}),
    "a number beyond float32": replace(correction(1), features={**correction(1).features, "petal_width": 1e39}),
    "a missing number": replace(correction(1), features={"sepal_length": 1.0}),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_correction_is_refused_and_nothing_is_written(
    store: Store, append: Append, path: Path, what: str
) -> None:
    with pytest.raises(BadCorrectionError, match="class_name" if "class" in what else "petal_width"):
        append(BAD[what])
    assert not path.exists()
    assert store.suggestions.get(BAD[what].id) is None


def test_a_bad_correction_that_was_handed_over_does_not_stop_the_others(
    store: Store, append: Append, path: Path
) -> None:
    bad = hand_over(store, correction(1, "Iris-unknown"))
    good = [hand_over(store, correction(number)) for number in (2, 3)]
    assert append(good[0]) == 2
    assert append(good[1]) == 2
    known = store.suggestions.get(bad.id)
    assert known is not None
    assert known.refused_because == "class_name: unknown class 'Iris-unknown'"
    with pytest.raises(BadCorrectionError):
        append(bad)
    assert append(good[0]) == 2
    assert path.read_text() == "".join(map(line, good))


def test_a_bad_correction_takes_the_others_along_all_the_same(store: Store, append: Append, path: Path) -> None:
    bad, good = hand_over(store, correction(1, "Iris-unknown")), hand_over(store, correction(2))
    with pytest.raises(BadCorrectionError):
        append(bad)
    assert [state(store, suggestion) for suggestion in (bad, good)] == ["refused", "waiting"]
    assert path.read_text() == line(good)


@pytest.mark.parametrize("name", ["a\nb", "a\r", "\u2028", "a\x85b", "a\x0bb", "a\x00b", " ", "", 7.0, None])
def test_a_name_that_no_line_can_hold_is_refused_and_the_file_stays_readable(tmp_path: Path, name: Any) -> None:
    travel = get_problem("travel_insurance")
    store = Store(f"sqlite:///{tmp_path}/lab.db")
    features = {feature.name: feature.example for feature in travel.features}
    path = tmp_path / "finetune.csv"
    for agency in ("a, b", name, 'the "best"'):
        suggestion = Suggestion(str(uuid4()), travel.name, features | {"Agency": agency}, "Yes")
        with pytest.raises(BadCorrectionError, match="Agency: ") if agency == name else nullcontext():
            append_corrections(store, travel, suggestion, path)
    store.close()
    assert read_table(path, travel, indices=True).X[:, 0].tolist() == ["a, b", 'the "best"']
