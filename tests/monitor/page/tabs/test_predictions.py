"""The predictions tab shows pages of the log, finds any row by its id, and filters choose some of them."""

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from common.store import Store
from common.store.monitoring import prediction_search
from common.store.monitoring.prediction_search import MOST_MATCHES, Only
from monitor.page.panels import Cell, Panel
from monitor.page.prediction_filter import PredictionFilter
from monitor.page.tabs import predictions
from monitor.page.tabs.predictions import PAGE_ROWS
from monitor.page.view import Backends, Selection, View
from tests.common.store.rows import FEATURES, NOON, PROBABILITIES, SETOSA, VERSICOLOR, prediction, shadow, suggestion
from tests.monitor.page.tabs.log import asking, cells

if TYPE_CHECKING:
    from common.store.predictions import PredictionRow

DAY = NOON.date()


def built(backends: Backends, selection: Selection) -> Panel:
    [panel] = predictions.build(View(backends, selection))
    return panel


def looked_for(prediction_id: str, day: date = DAY, *versions: int) -> Selection:
    return asking(day, day, *versions, prediction_id=prediction_id)


def ids(backends: Backends, selection: Selection) -> list[Cell]:
    return [row["id"] for row in cells(built(backends, selection))]


def test_a_row_shows_all_that_is_known_of_a_prediction(store: Store, backends: Backends) -> None:
    store.predictions.write([prediction("a") | {"is_outlier": True}, shadow("a", VERSICOLOR)])
    store.feedback.give("a", VERSICOLOR)
    champion, challenger = cells(built(backends, asking()))
    assert champion == {
        "predicted": NOON.isoformat(),
        "id": "a",
        "role": "Champion",
        "version": "version 1|http://mlflow/#/models/IrisModel/versions/1",
        **{f"feature:{name}": value for name, value in FEATURES.items()},
        "class": SETOSA,
        "confidence": 0.7,
        "outlier": "yes",
        "outlier_score": 0.25,
        "truth": VERSICOLOR,
        "exported": None,
        "learnt": None,
        "lineage": "lineage|/lineage/predictions/a?problem=iris",
        **{f"probability:{name}": value for name, value in PROBABILITIES.items()},
    }
    assert (challenger["role"], challenger["class"], challenger["outlier"]) == ("Challenger", VERSICOLOR, "no")


def test_a_whole_id_finds_a_prediction_of_any_day_with_its_later_states(store: Store, backends: Backends) -> None:
    store.predictions.write([prediction("a"), prediction("ab"), prediction("x", problem="other")])
    store.suggestions.add(suggestion("s", prediction_id="a"))
    store.suggestions.trained(["s"], 3)
    export = store.exports.claim(10, NOON + timedelta(days=1))
    assert export
    assert cells(built(backends, asking()))[0]["exported"] is None
    store.exports.finish(export, "run")
    assert str(cells(built(backends, asking()))[0]["exported"]).startswith("20")
    [found] = cells(built(backends, looked_for("a", DAY.replace(year=2020), 9)))
    assert found["id"] == "a"
    assert str(found["exported"]).startswith("20")
    assert str(found["learnt"]).startswith("version 3|")
    # Another problem's is not shown under this one.
    assert ids(backends, looked_for("x")) == []


def test_the_beginning_of_an_id_finds_all_of_the_days_and_versions(store: Store, backends: Backends) -> None:
    names = ("abc1", "abc2", "abd", "a%c", "ABC3")
    store.predictions.write([prediction(name) for name in names])
    store.predictions.write([prediction("abc4", version=2), prediction("abc5", at=NOON + timedelta(days=1))])
    assert ids(backends, looked_for("abc")) == ["abc1", "abc2", "abc4"]
    assert ids(backends, looked_for("abc", DAY, 2)) == ["abc4"]
    assert ids(backends, looked_for("a%")) == ["a%c"]
    nothing = built(backends, looked_for("abq"))
    assert nothing.rows == []
    assert nothing.empty.startswith("No prediction of the chosen time has an id that begins with abq.")


def test_the_beginning_of_many_ids_finds_the_newest(store: Store, backends: Backends) -> None:
    second = timedelta(seconds=1)
    many = MOST_MATCHES + 5
    store.predictions.write([prediction(f"ab{n:03}", at=NOON + n * second) for n in range(many)])
    store.predictions.write([prediction("ac", at=NOON + many * second)])
    assert ids(backends, looked_for("ab")) == [f"ab{n:03}" for n in range(many - 1, many - 1 - PAGE_ROWS, -1)]


def test_the_newest_come_first_and_not_too_many(store: Store, backends: Backends) -> None:
    second = timedelta(seconds=1)
    store.predictions.write([prediction(f"p{n:03}", at=NOON + n * second) for n in range(PAGE_ROWS + 5)])
    assert ids(backends, asking()) == [f"p{n:03}" for n in range(PAGE_ROWS + 4, 4, -1)]


@pytest.mark.parametrize("last", [False, True])
def test_days_include_their_last_moment(store: Store, backends: Backends, *, last: bool) -> None:
    midnight = NOON.replace(hour=0, minute=0, second=0, microsecond=0)
    tick = timedelta(microseconds=1)
    moments = {"before": midnight - tick, "first": midnight, "last": midnight + timedelta(days=1) - tick}
    store.predictions.write([prediction(name, at=at) for name, at in moments.items()])
    store.predictions.write([prediction("after", at=midnight + timedelta(days=1))])
    assert ids(backends, looked_for("last" if last else "")) == (["last"] if last else ["last", "first"])


def test_features_of_all_kinds_have_columns(store: Store, backends: Backends) -> None:
    rows: list[PredictionRow] = [
        prediction("a") | {"features": {"Agency": "EPX", "Days": 7.0}},
        prediction("b") | {"features": {"Agency": "CWT", "Age": 30.0}, "confidence": None, "is_outlier": None},
    ]
    store.predictions.write(rows)
    panel = built(backends, asking())
    kinds = {column.label: column.kind for column in panel.columns if column.name.startswith("feature:")}
    assert kinds == {"Agency": "text", "Days": "value", "Age": "value"}
    first, second = cells(panel)
    assert (first["feature:Agency"], first["feature:Days"], first["feature:Age"]) == ("EPX", 7.0, None)
    assert (second["feature:Age"], second["confidence"], second["outlier"]) == (30.0, None, None)


SECOND = timedelta(seconds=1)


def filtered(only: Only = "", of_class: str = "", below: float | None = None, after: str = "") -> Selection:
    narrowed = PredictionFilter(only=only, of_class=of_class, below=below, after=after)
    return asking().model_copy(update={"filter": narrowed})


def test_filters_choose_wrong_rows_outliers_rows_without_truth_classes_and_unsure_rows(
    store: Store, backends: Backends
) -> None:
    rows = {name: prediction(name, at=NOON - number * SECOND) for number, name in enumerate("abcd")}
    rows["b"]["is_outlier"], rows["c"]["class_name"], rows["d"]["confidence"] = True, VERSICOLOR, 0.4
    store.predictions.write(list(rows.values()))
    store.feedback.give("a", SETOSA)
    store.feedback.give("c", SETOSA)
    assert ids(backends, filtered()) == list("abcd")
    assert ids(backends, filtered("wrong")) == ["c"]
    assert ids(backends, filtered("outlier")) == ["b"]
    assert ids(backends, filtered("unlabelled")) == ["b", "d"]
    assert ids(backends, filtered(of_class=SETOSA)) == ["a", "b", "d"]
    assert ids(backends, filtered("unlabelled", SETOSA, below=50)) == ["d"]
    assert ids(backends, filtered("wrong").model_copy(update={"id": "a"})) == ["a"]  # a whole id finds its row
    assert built(backends, filtered("outlier", VERSICOLOR)).empty.startswith("No prediction of the chosen time matches")
    assert built(backends, filtered()).levels == ["good", "unknown", "bad", "unknown"]


@pytest.mark.parametrize("only", ["", "unlabelled"])
def test_pages_follow_each_other_without_a_gap_and_without_repetition(
    store: Store, backends: Backends, only: Only
) -> None:
    # Rows of one request have one moment, and a challenger's row the id of the champion's.
    rows = [prediction(f"p{n:03}", at=NOON - (n // 30) * SECOND) for n in range(PAGE_ROWS)]
    store.predictions.write(rows)
    store.predictions.write([prediction(row["id"], role="shadow", at=row["predicted_at"]) for row in rows])
    seen, after = [], ""
    for _ in range(3):
        panel = built(backends, filtered(only, after=after))
        seen += [(row["id"], row["role"]) for row in cells(panel)]
        after = panel.pages.after if panel.pages else ""
        if not after:
            break
    assert seen == [(row["id"], role) for row in rows for role in ("Champion", "Challenger")]


def test_a_page_looks_at_a_bounded_number_of_rows_and_the_next_one_goes_on(
    store: Store, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_search, "MOST_LOOKED_AT", 3)
    store.predictions.write([prediction(f"p{n}", at=NOON - n * SECOND) for n in range(4)])
    store.feedback.give("p3", VERSICOLOR)
    first = built(backends, filtered("wrong"))
    assert (first.rows, first.empty.split(" the ")[0]) == ([], "None of")
    assert first.pages
    last = built(backends, filtered("wrong", after=first.pages.after))
    assert [row["id"] for row in cells(last)] == ["p3"]
    assert last.pages
    assert (last.pages.after, last.pages.is_first) == ("", False)


@pytest.mark.parametrize("text", ["p1", "2026-01-01T00:00:00~champion~p1", "2026-01-01T00:00:00+00:00~boss~p1"])
def test_a_position_that_no_page_gave_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="after"):
        PredictionFilter(after=text)
