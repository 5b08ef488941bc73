"""Champion and challenger, open alerts, and training data on the page."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from common.judgement.betting import e_not_worse, e_worse
from common.store import Store
from common.store.tables import champions
from monitor.follow_registry import AliasedVersions
from monitor.page.panels import Panel
from monitor.page.table_parts import Folded
from monitor.page.tabs import comparison, overview, training
from monitor.page.view import Backends, Selection, View
from tests.common.store.rows import CLASSES, MODEL, NOON, SETOSA, VERSICOLOR, VIRGINICA, prediction, shadow, suggestion
from tests.monitor.page.tabs.kept import open_judgement
from tests.monitor.page.tabs.log import asking, by_id, cells, table, today
from tests.monitor.references import backends_of

DAY = NOON.date()


def crown(store: Store, *reigns: tuple[int, datetime]) -> None:
    with store._database.writing() as connection:
        for version, since in reigns:
            row = {"model_name": MODEL, "model_version": version, "since": since, "how": "registered"}
            connection.execute(sa.insert(champions).values(row))


def places(backends: Backends, selection: Selection) -> tuple[int | None, int | None]:
    """Return champion and challenger."""
    found = View(backends, selection).served
    return found.champion, found.challenger


def days(first: int, last: int, *versions: int) -> Selection:
    return asking(DAY.replace(day=first), DAY.replace(day=last), *versions)


def test_the_champion_is_the_last_of_the_versions_that_became_it_by_the_end(store: Store, backends: Backends) -> None:
    store.predictions.write([prediction("a")])
    crown(store, (1, NOON), (2, NOON.replace(day=3)), (3, NOON.replace(day=5)), (2, NOON.replace(day=7)))
    assert [places(backends, days(1, last))[0] for last in (1, 2, 3, 5, 7)] == [1, 1, 2, 3, 2]
    assert places(backends, days(1, 7, 1, 3))[0] == 3


def test_without_a_note_the_newest_version_that_answered_is_champion(store: Store, backends: Backends) -> None:
    store.predictions.write([prediction("a", version=1), prediction("b", version=4)])
    assert places(backends, days(1, 1)) == (4, None)
    assert places(backends, days(2, 2)) == (None, None)
    assert places(backends, days(1, 1, 1)) == (1, None)


def test_the_challenger_is_the_newest_shadow_version_that_is_not_champion(store: Store, backends: Backends) -> None:
    shadows = [(1, 2), (2, 3), (3, 4)]
    store.predictions.write(
        [prediction(f"p{day}", role="shadow", version=version, at=NOON.replace(day=day)) for day, version in shadows]
    )
    assert [places(backends, days(1, last))[1] for last in (1, 2, 3)] == [2, 3, 4]
    assert places(backends, days(1, 3, 2, 3))[1] == 3
    crown(store, (4, NOON))
    assert places(backends, days(1, 3)) == (4, 3)


def test_of_two_challengers_it_is_the_one_that_has_answered_last(store: Store, backends: Backends) -> None:
    for day, version in ((1, 3), (2, 1)):
        at = NOON.replace(day=day)
        store.predictions.write([prediction(f"p{day}", version=2, at=at)])
        store.predictions.write([prediction(f"p{day}", role="shadow", version=version, at=at)])
    assert places(backends, days(1, 3)) == (2, 1)


def test_a_shadow_version_that_became_champion_is_no_challenger_any_more(store: Store, backends: Backends) -> None:
    store.predictions.write([prediction("a", version=2), prediction("a", role="shadow", version=1)])
    crown(store, (2, NOON), (1, NOON.replace(day=3)), (2, NOON.replace(day=4)))
    assert places(backends, days(1, 2)) == (2, 1)
    assert places(backends, days(1, 5)) == (2, None)


def until_today(*versions: int) -> Selection:
    # And tomorrow, in case that the day ends meanwhile.
    return asking(DAY, datetime.now(UTC).date() + timedelta(days=1), *versions)


def test_of_today_the_aliases_of_the_registry_decide(store: Store) -> None:
    """Version 2 has been in the shadow; then it was promoted, and rolled back: nobody is challenger any more."""
    store.predictions.write([prediction("a", version=1), prediction("a", role="shadow", version=2)])
    crown(store, (1, NOON), (2, NOON.replace(day=3)), (1, NOON.replace(day=4)))
    rolled_back = backends_of(store, aliases=AliasedVersions(1, None))
    assert places(rolled_back, until_today()) == (1, None)
    assert places(backends_of(store, aliases=AliasedVersions(1, 2)), until_today()) == (1, 2)
    assert places(backends_of(store, aliases=AliasedVersions(1, 2)), until_today(1)) == (1, None)
    assert places(backends_of(store, aliases=AliasedVersions(1, 2)), until_today(2)) == (2, 2)
    # AliasedVersions tell nothing of the past.
    assert places(rolled_back, days(1, 2)) == (1, 2)


def test_a_version_is_champion_before_anybody_has_asked_it(store: Store) -> None:
    assert places(backends_of(store, aliases=AliasedVersions(1, None)), until_today()) == (1, None)
    situation = overview.situation(View(backends_of(store, aliases=AliasedVersions(1, None)), until_today()))
    assert (situation.champion, situation.has_history) == (1, False)


def test_before_the_registry_has_answered_there_is_no_challenger(store: Store, backends: Backends) -> None:
    store.predictions.write([prediction("a", version=1), prediction("a", role="shadow", version=2)])
    crown(store, (1, NOON))
    assert places(backends, until_today()) == (1, None)


def test_a_champion_is_shown_since_the_last_time_by_then(store: Store, backends: Backends) -> None:
    store.predictions.write([prediction("a")])
    crown(store, (1, NOON), (2, NOON.replace(day=3)), (1, NOON.replace(day=10)))
    found = table(by_id(overview.build(View(backends, days(1, 2))))["served"])
    assert found["Champion"]["since"] == NOON.isoformat()


def test_served_versions_link_to_mlflow_and_show_their_beginning(store: Store, backends: Backends) -> None:
    store.predictions.write([prediction("a", version=2), prediction("a", VERSICOLOR, role="shadow", version=3)])
    store.feedback.give("a", SETOSA)
    crown(store, (2, NOON))
    found = table(by_id(overview.build(View(backends, asking())))["served"])
    assert found["Champion"] == {
        "role": "Champion",
        "version": "version 2|http://mlflow/#/models/IrisModel/versions/2",
        "since": NOON.isoformat(),
        "how": "registered",
        "predictions": 1,
        "labels": 1,
    }
    assert found["Challenger"]["version"] == "version 3|http://mlflow/#/models/IrisModel/versions/3"
    assert (found["Challenger"]["since"], found["Challenger"]["labels"]) == (None, 1)


def test_open_alerts_are_those_of_the_problem_and_of_the_monitor(store: Store, backends: Backends) -> None:
    kinds = {"drift", "run_failed"}
    store.alerts.settle("iris", kinds, {("drift", "sepal_length"): "it has drifted"}, NOON)
    store.alerts.settle("iris", {"outliers"}, {("outliers", ""): "too many"}, NOON)
    store.alerts.settle("iris", {"outliers"}, {}, NOON + timedelta(minutes=1))
    store.alerts.settle("", kinds, {("run_failed", "evaluation"): "MLflow is away"}, NOON)
    store.alerts.settle("other", kinds, {("drift", "x"): "not here"}, NOON)
    panels = by_id(overview.build(View(backends, asking(DAY.replace(year=2020), DAY.replace(year=2020)))))
    assert [(row["message"], row["severity"]) for row in cells(panels["alerts"])] == [
        ("It has drifted", "look at it"),
        ("MLflow is away", "look at it"),
    ]
    assert table(panels["counts"])["Open alerts"]["value"] == 2


def test_alerts_are_listed_once_the_worst_first_and_those_that_are_over_are_folded(
    store: Store, backends: Backends
) -> None:
    over = NOON + timedelta(minutes=1)
    store.alerts.settle("iris", {"outliers"}, {("outliers", ""): "too many"}, NOON)
    store.alerts.settle("iris", {"outliers"}, {}, over)
    store.alerts.settle("iris", {"drift"}, {("drift", "x"): "it has drifted"}, over)
    store.alerts.settle("iris", {"accuracy"}, {("accuracy", "day"): "it has fallen"}, over + timedelta(minutes=1))
    store.alerts.settle("other", {"drift"}, {("drift", "y"): "not here"}, over)
    panel = by_id(overview.build(View(backends, asking(DAY, DAY))))["alerts"]
    assert [(row["severity"], row["message"], row["ended"]) for row in cells(panel)] == [
        ("act now", "It has fallen", None),
        ("look at it", "It has drifted", None),
        ("over", "Too many", over.isoformat()),
    ]
    assert cells(panel)[0]["where"] == "Metrics by class|/tab/classes?problem=iris"
    assert panel.folded == Folded(after=2, summary="1 that is over")


def test_training_rows_stand_beside_the_corrections(store: Store, known: Backends) -> None:
    store.predictions.write([prediction("a")])
    for number, name in enumerate((SETOSA, SETOSA, VIRGINICA, VIRGINICA, "Iris-new")):
        store.suggestions.add(replace(suggestion(f"s{number}"), class_name=name))
    store.suggestions.trained(["s0"], 2)
    store.suggestions.refused(["s3"], "not good enough")
    panels = by_id(training.build(View(known, today())))
    assert panels["training"].title == "Training rows of version 2"
    assert panels["training"].rows == [[name, count] for name, count in zip(CLASSES, (40, 41, 39), strict=True)]
    assert panels["corrections"].rows == [["Iris-new", 1], [SETOSA, 1], [VIRGINICA, 1]]
    found = table(panels["together"])
    assert list(found[SETOSA].values()) == [SETOSA, 40, pytest.approx(40 / 120), 1, 1]
    assert list(found["Iris-new"].values()) == ["Iris-new", 0, 0.0, 0, 1]
    nothing = by_id(training.build(View(known, asking())))["corrections"]
    assert nothing.rows == []
    assert nothing.empty.startswith("No correction came in the chosen time")


def test_the_text_differs_where_all_corrections_have_been_learnt(store: Store, known: Backends) -> None:
    for number in range(5):
        store.suggestions.add(suggestion(f"s{number}"))
    store.suggestions.trained([f"s{number}" for number in range(5)], 2)
    panel = by_id(training.build(View(known, until_today())))["corrections"]
    assert panel.rows == []
    assert panel.empty.startswith("No correction waits: each one of the chosen time is learnt, refused or taken back.")


def pairs(store: Store, *counts: int) -> None:
    """Give ground truths of rows that versions 1 and 2 answered: ties, only the first right, only the second right."""
    kinds = zip(((SETOSA, SETOSA), (SETOSA, VERSICOLOR), (VERSICOLOR, SETOSA)), counts, strict=True)
    for kind, ((first, second), count) in enumerate(kinds):
        for number in range(count):
            name = f"{kind}-{number}"
            store.predictions.write([prediction(name, first), shadow(name, second)])
            store.feedback.give(name, SETOSA)


def duel_of(store: Store, champion: int, challenger: int) -> Panel:
    backends = backends_of(store, aliases=AliasedVersions(champion, challenger))
    return by_id(comparison.build(View(backends, asking())))["duel"]


def test_a_challenger_on_trial_is_shown_with_its_e_values(store: Store) -> None:
    pairs(store, 40, 4, 6)
    without = duel_of(store, 1, 2)
    assert without.rows == []
    assert "a person decides" in without.empty
    store.judgements.add(open_judgement(2))
    panel = duel_of(store, 1, 2)
    found = table(panel)
    assert {name: (row["value"], row["threshold"]) for name, row in found.items()} == {
        "Towards promotion": (e_not_worse(6, 4, 40, 0.02), 20),
        "Towards retirement": (e_worse(6, 4, 40), 20),
    }
    assert "Version 2 is challenger, on trial" in panel.note
    assert "version 2 alone is right 6 times, version 1 alone 4 times" in panel.note
    assert "at 20 version 2 is promoted; if PROMOTION=manual" in str(found["Towards promotion"]["text"])


def test_a_champion_on_probation_is_shown_with_the_e_value_that_takes_it_back(store: Store) -> None:
    store.judgements.add(open_judgement(2))
    store.predictions.write([prediction("a", version=2), prediction("a", VERSICOLOR, role="shadow", version=1)])
    store.feedback.give("a", SETOSA)
    panel = duel_of(store, 2, 1)
    assert table(panel)["Towards roll-back"] == {
        "name": "Towards roll-back",
        "value": None,
        "threshold": 100,
        "text": "not enough data: 1 of 50 ground truths",
    }
    assert len(panel.rows) == 1
    assert "Version 2 is champion, on probation" in panel.note


def test_the_history_of_the_champions_has_the_judges_reasons(store: Store, backends: Backends) -> None:
    store.predictions.write([prediction("a")])
    crown(store, (7, NOON))
    store.champions.note(MODEL, 1)
    store.champions.note(MODEL, 2, "promoted", "of 300 ground truths …")
    found = table(by_id(overview.build(View(backends, today())))["champions"], "version")
    links = [f"version {number}|http://mlflow/#/models/IrisModel/versions/{number}" for number in (2, 1)]
    assert {name: (row["how"], row["because"]) for name, row in found.items()} == dict(
        zip(links, (("promoted", "of 300 ground truths …"), ("registered", None)), strict=True)
    )
