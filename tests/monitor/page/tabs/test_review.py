"""The review queue shows each correction in quarantine with what a person needs to decide about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from common.problem import Problem, Table
from common.store import Store
from common.store.trust.reviews import ROLL_BACK, CorrectionReview
from common.store.trust.tables import vettings
from monitor.page.csv_table import as_csv
from monitor.page.panels import Card, Cards, Panel
from monitor.page.scatter import Scatter
from monitor.page.tabs import corrections
from monitor.page.tabs.review import PAGE
from monitor.page.view import Backends, FeedbackApi, Selection, View
from tests.common.store.rows import CLASSES, FEATURES, MODEL, NOON, SETOSA, VERSICOLOR, prediction, suggestion
from tests.common.store.trust.queued import ANCHOR, DETAILS, MAP, draw, quarantine
from tests.monitor.page.tabs.log import by_id, cells, today
from trust.vetting.nearness import space_of
from trust.vetting.vetting_map import map_details, plane_of

NOW = datetime.now(UTC)


def queue(backends: Backends, selection: Selection | None = None) -> Panel:
    return by_id(corrections.build(View(backends, selection or today())))["quarantined"]


def cards(panel: Panel) -> Cards:
    assert panel.cards
    return panel.cards


def only(panel: Panel) -> Card:
    [card] = cards(panel).cards
    return card


def test_a_correction_is_shown_with_its_features_its_reason_and_the_answer_of_the_anchor(
    store: Store, backends: Backends
) -> None:
    quarantine(store, "a", "improbable", "0 of the 10 nearest known rows are setosa", number=0)
    panel = queue(backends)
    [row] = cells(panel)
    assert (row["class"], row["rule"], row["reason"]) == (
        SETOSA,
        "improbable",
        "0 of the 10 nearest known rows are setosa",
    )
    assert (row["number"], row["answer"], row["confidence"], row["source"]) == (0, VERSICOLOR, 0.97, "192.0.2.1")
    assert row["nearest"] == f"1 of {VERSICOLOR}"
    assert {name: row[f"feature:{name}"] for name in FEATURES} == FEATURES
    assert only(panel).features == FEATURES
    assert (row["anchor"], row["anchor_confidence"]) == (VERSICOLOR, 0.625)
    assert only(panel).words == [
        f"The champion, version 2, answers {VERSICOLOR}, 97.0 % sure.",
        f"The anchor answers {VERSICOLOR}, 62.5 % sure.",
        f"Nearest rows: 1 of {VERSICOLOR}.",
    ]
    [nearest] = only(panel).nearest
    assert nearest.model_dump() == DETAILS["nearest"][0]
    assert as_csv(panel).splitlines()[1].count("improbable") == 1


def test_its_history_says_when_who_and_why(store: Store, backends: Backends) -> None:
    quarantine(store, "a")
    steps = only(queue(backends)).history
    assert [(each.state, each.actor, each.reason) for each in steps] == [
        ("received", "192.0.2.1", None),
        ("quarantined", "lab", "it is far from all training rows"),
    ]
    assert datetime.fromisoformat(steps[0].at).tzinfo


def test_its_picture_is_of_the_map_of_its_anchor_or_of_the_newest(store: Store, backends: Backends) -> None:
    quarantine(store, "named", details={**DETAILS, "anchor_version": ANCHOR})
    quarantine(store, "unnamed", details=DETAILS)
    quarantine(store, "unknown", details={**DETAILS, "anchor_version": 3})
    quarantine(store, "placeless", details={"answer": SETOSA})
    for card in cards(queue(backends)).cards:
        assert card.place is None
    draw(store)
    draw(store, {**MAP, "axes": ["first", "second"]}, anchor=5)
    found = cards(queue(backends))
    places = {card.id: (card.map if card.place else None) for card in found.cards}
    assert places == {"named": "1", "unnamed": "5", "unknown": None, "placeless": None}
    assert {key: content.axes for key, content in found.maps.items()} == {
        "1": ("petal_length", "petal_width"),
        "5": ("first", "second"),
    }
    assert found.maps["1"].classes == list(CLASSES)


def test_the_map_that_vetting_writes_is_drawn_with_all_its_rows(
    store: Store, backends: Backends, problem: Problem, table: Table
) -> None:
    plane = plane_of(problem, space_of(problem, table.X), table)
    [place] = plane.place(table.X[:1]).tolist()
    quarantine(store, "a", details={**DETAILS, "anchor_version": ANCHOR, "at": place})
    draw(store, map_details(problem, plane, table))
    panel = queue(backends)
    picture = Scatter(cards(panel).maps[only(panel).map])
    assert picture.axes == ("petal_length", "petal_width")
    assert [cloud.path.count("M") for cloud in picture.clouds()] == [50, 50, 50]
    spot = picture.spot((place[0], place[1]))
    assert spot.inside
    assert f"M{spot.x:.1f} {spot.y:.1f}" in picture.clouds()[table.y[0]].path


def test_a_correction_of_a_version_that_was_rolled_back_has_no_vetting(store: Store, backends: Backends) -> None:
    store.predictions.write([prediction("p")])
    store.suggestions.add(suggestion("a", prediction_id="p"))
    store.suggestions.trained(["a"], 3)
    store.suggestions.quarantine(["a"], "version 3 was rolled back")
    panel = queue(backends)
    [row] = cells(panel)
    assert (row["rule"], row["reason"], row["number"]) == (ROLL_BACK, "version 3 was rolled back", None)
    assert row["version"] == f"version 3|http://mlflow/#/models/{MODEL}/versions/3"
    assert row["prediction"] == "p|/tab/predictions?problem=iris&id=p"
    assert only(panel).words == ["Version 3 had learnt it and was taken back."]
    assert (only(panel).nearest, only(panel).place) == ([], None)


def test_the_queue_comes_in_pages_newest_first_whatever_the_days_and_versions(store: Store, backends: Backends) -> None:
    for number in range(PAGE + 3):
        quarantine(store, f"{number:02}", ("outlier", "improbable")[number % 2], at=NOON + timedelta(minutes=number))
    first, second = (queue(backends, today(9).model_copy(update={"page": page})) for page in (1, 2))
    names = [row["id"] for panel in (first, second) for row in cells(panel)]
    assert names == [f"{number:02}" for number in reversed(range(PAGE + 3))]
    assert (cards(first).page, cards(second).page, cards(second).pages) == (1, 2, 2)
    assert cards(queue(backends, today().model_copy(update={"page": 99}))).page == 2
    assert first.note.startswith("23 in quarantine, of all days.")
    assert cards(first).rules == {"outlier": 12, "improbable": 11}
    outliers = queue(backends, today().model_copy(update={"rule": "outlier"}))
    assert ({row["rule"] for row in cells(outliers)}, len(outliers.rows), cards(outliers).pages) == ({"outlier"}, 12, 1)
    none = queue(backends, today().model_copy(update={"rule": "gone"}))
    assert (none.rows, none.empty[:48]) == ([], "No correction is in quarantine because of this r")


@pytest.mark.parametrize("problem", ["iris", "other"])
def test_reviews_go_to_the_api_of_their_problem_only(store: Store, backends: Backends, problem: str) -> None:
    quarantine(store, "a")
    there = replace(backends, feedback=FeedbackApi("http://api", problem))
    panel = queue(there)
    assert cards(panel).takes_reviews == (problem == "iris")
    assert ("Review them at the api of iris" in panel.note) == (problem == "other")


@pytest.mark.parametrize(("stopped", "moment", "warns"), [(3, NOW, True), (2, NOW, False), (5, NOON, False)])
def test_when_much_of_the_last_hour_is_in_quarantine_the_page_says_what_to_do(
    store: Store, backends: Backends, stopped: int, moment: datetime, *, warns: bool
) -> None:
    for number in range(5):
        quarantine(store, f"{number}", at=moment)
    others = [f"{number}" for number in range(stopped, 5)]
    store.trust.reviews.decide("iris", others, CorrectionReview("approved", "key"))
    with store._database.writing() as connection:
        passed = vettings.update().where(vettings.c.suggestion_id.in_(others)).values(outcome="passed")
        connection.execute(passed)
    warning = queue(backends).warning
    assert bool(warning) == warns
    if warns:
        assert warning.startswith("Vetting has put 3 of the 5 corrections of the last hour into quarantine")
        assert "Send the ground truth of some predictions (POST /feedback), or review these." in warning


def test_without_vetting_the_page_says_that_nobody_vets(store: Store, backends: Backends) -> None:
    off = replace(backends, vetting=False)
    assert queue(off).empty.startswith("VETTING is off: nobody vets corrections")
    assert not queue(off).cards
    quarantine(store, "a")
    assert "VETTING is off: nobody vets new corrections." in queue(off).note
