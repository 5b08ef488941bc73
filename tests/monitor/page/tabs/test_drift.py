"""The drift tab shows the newest window of the days, as it was evaluated."""

from datetime import timedelta

import pytest

from common.store import Store
from monitor.page.findings import Headline
from monitor.page.tabs import drift
from monitor.page.tabs.drift import MOST_LINES, MOST_WINDOWS, _letters
from monitor.page.view import Backends, View
from monitor.statistics.enough import DRIFT_ROWS
from monitor.statistics.reference import CategoryReference, Reference
from monitor.statistics.window import CLASS, Evaluation, evaluate
from tests.common.store.rows import CLASSES, NOON, prediction
from tests.monitor.page.tabs.kept import MINUTE, shifted_rows, write_window
from tests.monitor.page.tabs.log import asking, by_id, table

DAY = NOON.date()


@pytest.fixture(scope="module")
def shifted(reference: Reference) -> Evaluation:
    return evaluate(shifted_rows(shift=2.0), reference)


def test_each_subject_has_its_verdict_and_its_statistics(store: Store, backends: Backends, shifted: Evaluation) -> None:
    write_window(store, shifted)
    found = table(by_id(drift.build(View(backends, asking(DAY, DAY))))["verdicts"])
    assert set(found) == set(shifted.subjects)
    for name, subject in shifted.subjects.items():
        told = {key: value for key, value in found[name].items() if key in drift.STATISTICS and value is not None}
        assert told == pytest.approx(subject.statistics), name
        assert (found[name]["rows"], found[name]["mean"]) == (subject.rows, subject.mean)
        assert found[name]["p_value"] == subject.p_value
    assert found["petal_width"]["verdict"] == "drift"
    assert found[CLASS]["verdict"] == "no drift"
    assert found["confidence"]["verdict"] == "nothing to compare with"


def test_both_distributions_of_each_subject_are_shown(store: Store, backends: Backends, shifted: Evaluation) -> None:
    write_window(store, shifted)
    panels = {panel.title: panel for panel in drift.build(View(backends, asking(DAY, DAY)))}
    for name, subject in shifted.subjects.items():
        if subject.distribution:
            found = panels[f"Distribution of {name}"]
            assert (found.drawing, found.within) == ("shares", "verdicts")
            columns = [list(column) for column in zip(*found.rows, strict=True)]
            told = subject.distribution
            assert columns == [told.labels, told.reference, told.window]
            assert sum(told.window) == pytest.approx(1, abs=1e-4)
    assert "Distribution of confidence" not in panels


def test_the_window_names_the_version_it_was_compared_with(
    store: Store, backends: Backends, shifted: Evaluation
) -> None:
    write_window(store, shifted)
    [window] = by_id(drift.build(View(backends, asking(DAY, DAY))))["window"].rows
    link = "version 2|http://mlflow/#/models/IrisModel/versions/2"
    assert window == [
        NOON.isoformat(),
        (NOON - 5 * MINUTE).isoformat(),
        link,
        600,
        "enough for a verdict",
        pytest.approx(0.1),
        None,
    ]


def test_the_line_shows_the_newest_windows_and_the_largest_drifts(store: Store, backends: Backends) -> None:
    names = [f"feature {number}" for number in range(MOST_LINES + 2)]
    references = {name: CategoryReference(100, {"a": 0.5, "b": 0.5}) for name in names}
    many = Reference(2, CLASSES, {}, references, None, None)
    moved = names[3]
    answered = [
        prediction(str(n)) | {"features": {name: "a" if name == moved or n % 2 else "b" for name in names}}
        for n in range(DRIFT_ROWS)
    ]
    evaluation = evaluate(answered, many)
    for number in range(MOST_WINDOWS + 3):
        write_window(store, evaluation, NOON + number * MINUTE)
    panel = by_id(drift.build(View(backends, asking(DAY, DAY))))["psi"]
    assert [column.label for column in panel.columns][:3] == ["Window to", "For a verdict", moved]
    assert len(panel.series()) == MOST_LINES
    assert [row[0] for row in panel.rows] == [(NOON + n * MINUTE).isoformat() for n in range(3, MOST_WINDOWS + 3)]
    assert panel.rows[-1][2] == evaluation.subjects[moved].statistics["psi"]


def test_windows_of_too_few_predictions_have_no_line_and_no_statistics(
    store: Store, backends: Backends, reference: Reference
) -> None:
    for number, rows in enumerate((1, DRIFT_ROWS - 1)):
        write_window(store, evaluate(shifted_rows(2.0, rows), reference), NOON + number * MINUTE)
    panels = by_id(drift.build(View(backends, asking(DAY, DAY))))
    assert panels["psi"].rows == []
    assert f"none of these windows has {DRIFT_ROWS} predictions" in panels["psi"].empty
    columns = [column.name for column in panels["verdicts"].columns]
    assert columns == ["subject", "verdict", "sentence", "rows", "mean", "reference_mean", "p_value"]
    told = table(panels["verdicts"])["petal_width"]
    assert (told["verdict"], told["p_value"], told["rows"]) == ("not enough data", None, DRIFT_ROWS - 1)
    few = f"not enough data: {DRIFT_ROWS - 1} of {DRIFT_ROWS} rows"
    assert told["sentence"] == panels["window"].rows[0][4] == few
    assert panels["verdicts"].headline == Headline(level="unknown", text=f"N{few[1:]}.")


def test_a_window_of_too_few_predictions_says_so_among_others(
    store: Store, backends: Backends, shifted: Evaluation, reference: Reference
) -> None:
    write_window(store, evaluate(shifted_rows(2.0, 7), reference))
    write_window(store, shifted, NOON + MINUTE)
    panel = by_id(drift.build(View(backends, asking(DAY, DAY))))["psi"]
    assert [row[1] for row in panel.rows] == [f"not enough data: 7 of {DRIFT_ROWS} rows", "enough for a verdict"]
    assert panel.rows[0][2] is None


def test_the_worst_subject_stands_first_and_opens_its_own_distribution(
    store: Store, backends: Backends, shifted: Evaluation
) -> None:
    write_window(store, shifted)
    panels = by_id(drift.build(View(backends, asking(DAY, DAY))))
    told = panels["verdicts"]
    assert told.findings
    assert told.findings.levels[0] == "bad"
    assert told.findings.levels == sorted(told.findings.levels, key=("bad", "unknown", "good").index)
    assert told.rows[0][0] == "petal_width"
    for row, name in zip(told.rows, told.findings.ids, strict=True):
        inside = panels.get(f"shares-{name}")
        assert (inside.title if inside else None) == (f"Distribution of {row[0]}" if row[0] != "confidence" else None)


def test_a_single_prediction_has_no_share_and_no_mean(store: Store, backends: Backends, reference: Reference) -> None:
    write_window(store, evaluate(shifted_rows(2.0, 1), reference))
    panels = by_id(drift.build(View(backends, asking(DAY, DAY))))
    assert panels["window"].rows[0][3:] == [1, f"not enough data: 1 of {DRIFT_ROWS} rows", None, None]
    assert "needs 50 predictions" in panels["window"].note
    assert {each["mean"] for each in table(panels["verdicts"]).values()} == {None}
    assert panels.keys() == {"window", "verdicts", "psi"}


def test_windows_are_those_of_the_days_and_the_versions(store: Store, backends: Backends, shifted: Evaluation) -> None:
    small = shifted.model_copy(update={"rows": 7})
    for ended_at, version, evaluation in (
        (NOON, 1, small),
        (NOON + MINUTE, 2, shifted),
        (NOON + timedelta(days=1), 2, small),
    ):
        write_window(store, evaluation, ended_at, version)
    write_window(store, small, NOON + 2 * MINUTE, None)

    def sizes(*versions: int) -> list[object]:
        return [row[3] for row in by_id(drift.build(View(backends, asking(DAY, DAY, *versions))))["window"].rows]

    assert (sizes(), sizes(2), sizes(1), sizes(3)) == ([7], [600], [7], [])


def test_the_line_stays_when_no_more_predictions_come(store: Store, backends: Backends, shifted: Evaluation) -> None:
    write_window(store, shifted)
    write_window(store, evaluate([], None), NOON + MINUTE)
    panel = by_id(drift.build(View(backends, asking(DAY, DAY))))["psi"]
    assert [row[0] for row in panel.rows] == [NOON.isoformat(), (NOON + MINUTE).isoformat()]
    assert panel.columns[2].label == "petal_width"


def test_windows_of_some_versions_are_found_behind_any_number_of_others(
    store: Store, backends: Backends, shifted: Evaluation
) -> None:
    write_window(store, shifted, version=1)
    for number in range(1, MOST_WINDOWS + 2):
        write_window(store, shifted.model_copy(update={"rows": 7}), NOON + number * MINUTE)
    [window] = by_id(drift.build(View(backends, asking(DAY, DAY, 1))))["window"].rows
    assert window[3] == 600


def test_without_a_reference_only_the_incoming_rows_are_shown(store: Store, backends: Backends) -> None:
    evaluation = evaluate(shifted_rows(shift=0.0, count=60), None)
    write_window(store, evaluation, version=None)
    panels = by_id(drift.build(View(backends, asking(DAY, DAY))))
    assert {each["verdict"] for each in table(panels["verdicts"]).values()} == {"nothing to compare with"}
    assert panels["psi"].rows == []
    assert "cannot be compared" in panels["psi"].empty
    [shares] = [table(panel) for panel in panels.values() if panel.title == f"Distribution of {CLASS}"]
    assert shares[CLASSES[0]] == {"value": CLASSES[0], "reference": None, "window": pytest.approx(1 / 3, abs=1e-4)}


def test_panels_have_different_letters() -> None:
    found = [_letters(number) for number in range(1000)]
    assert found[:3] + found[25:28] == ["a", "b", "c", "z", "aa", "ab"]
    assert len(set(found)) == len(found)
