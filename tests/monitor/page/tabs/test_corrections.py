"""The corrections tab says of each one where it is, and of each fine-tuning what came of it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from common.store import Store
from monitor.page.table_parts import Choices
from monitor.page.tabs import corrections
from monitor.page.view import Backends, FeedbackApi, View
from monitor.page.withdrawable import Withdrawable
from tests.common.store.rows import CLASSES, FEATURES, MODEL, NOON, SETOSA, VERSICOLOR, prediction, suggestion
from tests.monitor.page.tabs.kept import RUN, learn, open_judgement
from tests.monitor.page.tabs.log import asking, by_id, cells, table, today


@pytest.fixture
def sent(store: Store) -> Store:
    """One correction in each state."""
    store.predictions.write([prediction("p")])
    store.suggestions.add(suggestion("new"))
    store.suggestions.add(suggestion("stuck"))
    store.suggestions.delivery_failed("stuck", "no Prefect", datetime.now(UTC))
    store.suggestions.add(suggestion("delivered", prediction_id="p"))
    store.suggestions.delivered("delivered", RUN)
    learn(store, "waiting", 0)
    learn(store, "learnt", 1)
    store.suggestions.trained(["learnt"], 2)
    store.suggestions.add(suggestion("bad"))
    store.suggestions.refused(["bad"], "no such class")
    learn(store, "lie", 2)
    store.suggestions.trained(["lie"], 3)
    store.suggestions.quarantine(["lie"], "version 3 was rolled back")
    store.suggestions.add(suggestion("elsewhere", problem="other"))
    return store


def test_each_correction_says_where_it_is(sent: Store, backends: Backends) -> None:
    assert sent
    panel = by_id(corrections.build(View(backends, today())))["corrections"]
    found = table(panel, "id")
    assert {name: (row["state"], row["detail"]) for name, row in found.items()} == {
        "new": ("received", "will be sent to Prefect"),
        "stuck": ("received", "not sent to Prefect, after 1 attempt: no Prefect"),
        "delivered": ("delivered", "Prefect has it"),
        "waiting": ("waiting", "1 of 5 wait for a new version"),
        "learnt": ("trained", "learnt by version 2"),
        "bad": ("refused", "no such class"),
        "lie": ("quarantined", "version 3 was rolled back"),
    }
    assert found["learnt"]["version"] == "version 2|http://mlflow/#/models/IrisModel/versions/2"
    assert found["learnt"]["flow_run"] == f"flow run|http://prefect/runs/flow-run/{RUN}"
    assert found["delivered"]["prediction"] == "p|/tab/predictions?problem=iris&id=p"
    assert found["new"]["prediction"] is None
    links = {name: str(found[str(name)]["history"]) for name in ("learnt", "lie")}
    query = "/tab/corrections?problem=iris&correction="
    assert links == {name: f"history|{query}{name}#correction" for name in links}
    assert (found["delivered"]["answer"], found["new"]["answer"]) == (SETOSA, None)
    assert found["new"]["features"] == "sepal_length 5.1, sepal_width 3.5, petal_length 1.4, petal_width 0.2"
    assert {row["class"] for row in found.values()} == {SETOSA}
    received = [str(row["received"]) for row in found.values()]
    assert received == sorted(received, reverse=True)


def test_a_correction_whose_data_were_erased_is_listed_without_them(sent: Store, backends: Backends) -> None:
    sent.trust.withdrawals.request("iris", ["learnt"], "request", "key", "somebody asked for it", erase=True)
    sent.suggestions.rows_removed(["learnt"])
    sent.trust.withdrawals.close("iris", {"learnt": "version 3 serves"}, 3)
    found = table(by_id(corrections.build(View(backends, today())))["corrections"], "id")["learnt"]
    assert (found["state"], found["detail"], found["class"]) == ("withdrawn", "somebody asked for it", "")


@pytest.mark.parametrize("problem", ["iris", "other"])
def test_corrections_can_be_selected_to_be_taken_back_at_the_api_of_their_problem(
    sent: Store, backends: Backends, problem: str
) -> None:
    sent.trust.withdrawals.request("iris", ["learnt", "bad"], "request", "key", "a mistake")
    there = replace(backends, feedback=FeedbackApi("http://api", problem))
    panel = by_id(corrections.build(View(there, today())))["corrections"]
    if problem == "other":
        assert panel.withdrawal is None
        return
    selectable = dict.fromkeys(table(panel, "id"), "") | {each: each for each in ("new", "stuck", "delivered")}
    selectable |= {each: each for each in ("waiting", "lie")}
    assert panel.withdrawal == Withdrawable(rows=list(selectable.values()))


def test_a_correction_whose_flow_run_is_gone_is_marked(sent: Store, backends: Backends) -> None:
    sent.suggestions.run_lost(RUN, None, "its flow run is gone")
    panel = by_id(corrections.build(View(backends, today())))["corrections"]
    details = {name: row["detail"] for name, row in table(panel, "id").items()}
    assert details["delivered"] == details["waiting"] == "will be sent to Prefect again: its flow run is gone"
    assert details["learnt"] == "learnt by version 2"


def test_fine_tunings_are_listed_with_their_version_or_refusal(store: Store, backends: Backends) -> None:
    store.predictions.write([prediction("p")])
    for number, name in enumerate(("a", "b", "c", "d", "e", "f")):
        learn(store, name, number, flow_run=f"run-{name}")
    store.suggestions.trained(["a", "b"], 2)
    store.suggestions.refused(["c", "d"], "accuracy is 80 %")
    store.suggestions.trained(["e"], 3)
    # Refused before it was written anywhere: no fine-tuning.
    store.suggestions.add(suggestion("bad"))
    store.suggestions.refused(["bad"], "no such class")
    # Vetting stopped it before any fine-tuning.
    store.suggestions.add(suggestion("odd"))
    store.suggestions.quarantine(["odd"], "it is unlike all known rows")
    backends.references._tested = {MODEL: {2: {"accuracy": 0.97, "f1": 0.96}}}
    found = cells(by_id(corrections.build(View(backends, today())))["runs"])
    assert [(run["corrections"], run["state"], run["reason"]) for run in found] == [
        (1, "trained", None),
        (2, "refused", "accuracy is 80 %"),
        (2, "trained", None),
    ]
    assert [str(run["flow_run"])[-5:] for run in found] == ["run-e", "run-d", "run-b"]
    assert [(run["accuracy"], run["recall"], run["f1"]) for run in found] == [
        *[(None, None, None)] * 2,
        (0.97, None, 0.96),
    ]
    assert str(found[0]["version"]).startswith("version 3|")
    only = by_id(corrections.build(View(backends, today(2))))
    assert [row[1] for row in only["runs"].rows] == [2]
    assert len(only["corrections"].rows) == 2
    other = by_id(corrections.build(View(backends, today(9))))["corrections"]
    assert (other.rows, other.empty.partition(".")[0]) == (
        [],
        "The chosen versions have learnt from no correction of the chosen time",
    )


def test_corrections_are_those_of_the_days(sent: Store, backends: Backends) -> None:
    assert sent
    panels = by_id(corrections.build(View(backends, asking())))
    assert panels["corrections"].rows == panels["runs"].rows == []
    assert "POST /suggest" in panels["corrections"].empty
    assert table(panels["runs"]) == {}


def test_a_verdict_is_shown_with_its_figures_in_points(store: Store, backends: Backends) -> None:
    store.predictions.write([prediction("p")])
    store.judgements.add(open_judgement(2, "p", judged_at=datetime.now(UTC)))
    store.judgements.add(replace(open_judgement(1), id="old", judged_at=NOON))
    store.trials.decided("iris", 2, "promote: of 300 ground truths …")
    panel = by_id(corrections.build(View(backends, today())))["verdicts"]
    [row] = cells(panel)
    assert (row["verdict"], row["candidate"], row["taught"]) == ("insufficient evidence", "refitted", "1 → 4 of 5")
    assert [row[name] for name in ("gain", "harm", "unknown", "n", "known")] == [3, 0, 1, 400, 20]
    assert [row[name] for name in ("champion", "champion_low", "champion_high")] == [0.8, -2.1, 5]
    assert [row[name] for name in ("anchor", "anchor_low", "anchor_high")] == [0.8, -3, 5]
    assert row["version"] == "version 2|http://mlflow/#/models/IrisModel/versions/2"
    assert (row["outcome"], str(row["because"])[:10]) == ("promote: of 300 ground truths …", "against th")


@pytest.mark.parametrize("details", [{}, {"because": "accuracy on test.csv is 96.7 %"}])
def test_a_verdict_of_the_threshold_has_a_reason_alone(
    store: Store, backends: Backends, details: dict[str, str]
) -> None:
    store.judgements.add(replace(open_judgement(2), details=details, judged_at=datetime.now(UTC)))
    [row] = cells(by_id(corrections.build(View(backends, today())))["verdicts"])
    assert (row["because"], row["gain"], row["anchor_low"], row["taught"]) == (details.get("because"), *[None] * 3)


@pytest.mark.parametrize(("trusted_only", "words"), [(True, "only ground truths with the key"), (False, "all")])
def test_the_page_says_which_ground_truths_count(backends: Backends, *, trusted_only: bool, words: str) -> None:
    panels = by_id(corrections.build(View(replace(backends, trusted_only=trusted_only), today())))
    assert f"set: {words}" in panels["verdicts"].note


@pytest.mark.parametrize(("problem", "asks"), [("iris", True), ("other", False)])
def test_wanted_ground_truths_can_be_sent_to_the_api_of_their_problem(
    store: Store, known: Backends, problem: str, *, asks: bool
) -> None:
    store.predictions.write([prediction(name) for name in "abc"])
    store.feedback.give("b", SETOSA)
    store.judgements.add(open_judgement(2, "c", "b", "gone", "a"))
    there = replace(known, feedback=FeedbackApi("http://api", problem))
    panel = by_id(corrections.build(View(there, today())))["wanted"]
    found = cells(panel)
    assert [row["prediction"] for row in found] == [f"{name}|/tab/predictions?problem=iris&id={name}" for name in "ca"]
    assert found[0]["feature:petal_width"] == FEATURES["petal_width"]
    assert (found[0]["candidate"], found[0]["champion"]) == (SETOSA, VERSICOLOR)
    expected = Choices(classes=list(CLASSES), rows=["c", "a"]) if asks else None
    assert panel.choices == expected
    assert ("Click" in panel.note) == asks


def test_a_verdict_that_is_decided_wants_no_ground_truth(store: Store, known: Backends) -> None:
    store.predictions.write([prediction("a")])
    store.judgements.add(open_judgement(2, "a"))
    store.trials.decided("iris", 2, "retire: it is worse")
    assert by_id(corrections.build(View(known, today())))["wanted"].rows == []
