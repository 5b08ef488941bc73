"""Rules for every tab: advice without data, and panels that are tables."""

import json
import re

import pytest

from common.store import Store
from monitor.page.panels import NUMERIC, Panel, Tab
from monitor.page.tabs import TABS
from monitor.page.view import Backends, Selection, View
from tests.common.store.rows import prediction, shadow, suggestion
from tests.monitor.page.tabs.log import FIRST, LAST, asking, by_id

every_tab = pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.name)


def assert_tables(panels: list[Panel]) -> None:
    """Each panel has a name of its own, and in each row a cell of the right kind for each column, as JSON too."""
    assert by_id(panels)
    for panel in panels:
        assert panel.empty
        names = [column.name for column in panel.columns]
        assert len(set(names)) == len(names)
        assert {end for column in panel.columns for end in (column.low, column.high) if end} <= set(names)
        for row in panel.rows:
            for cell, column in zip(row, panel.columns, strict=True):
                assert cell is None or isinstance(cell, str) != (column.kind in NUMERIC), (panel.id, column.name, cell)
        assert Panel.model_validate_json(panel.model_dump_json()) == panel
        assert "NaN" not in json.dumps(panel.model_dump())


@every_tab
def test_an_empty_tab_gives_advice(backends: Backends, tab: Tab) -> None:
    panels = tab.build(View(backends, asking()))
    assert_tables(panels)
    for panel in panels:
        # The first panel of the overview is itself a list of what to do.
        assert panel.rows == [] or panel.drawing == "steps"
        assert re.search(r"POST /|`python |`make |No alert|nothing waits|GET /labels|docs/", panel.empty), panel.id
        assert panel.empty.endswith((".", "`"))


@every_tab
def test_a_tab_of_days_without_anything_is_as_empty(logged: Backends, tab: Tab) -> None:
    for panel in tab.build(View(logged, asking(FIRST.replace(year=2020), LAST.replace(year=2020)))):
        # The training data do not depend on the days.
        assert panel.rows == [] or panel.id in {"training", "together", "status"}, panel.id


@every_tab
@pytest.mark.parametrize(
    "selection", [asking(), asking(FIRST, FIRST, 2), asking(FIRST, LAST, 99)], ids=["all", "2", "99"]
)
def test_panels_are_tables_for_every_selection(logged: Backends, tab: Tab, selection: Selection) -> None:
    assert_tables(tab.build(View(logged, selection)))


@every_tab
def test_models_without_probabilities_and_categories_are_shown(store: Store, backends: Backends, tab: Tab) -> None:
    mixed: dict[str, float | str] = {"Agency Type": "Airlines", "Duration (days)": 7.0, "day": 1.0, "class": "x"}
    names = ("class", "day", "a|b", "=1+1")
    rows = [row for name in names for row in (prediction(name, name), shadow(name, name))]
    for row in rows:
        row["features"], row["probabilities"], row["confidence"] = mixed, None, None
        row["is_outlier"], row["outlier_score"] = None, None
    store.predictions.write(rows)
    for row in rows:
        store.feedback.give(row["id"], "day")
    store.suggestions.add(suggestion("s", prediction_id="a|b"))
    panels = tab.build(View(backends, asking()))
    assert_tables(panels)


def test_the_tabs_are_in_the_order_of_the_page() -> None:
    assert [tab.name for tab in TABS] == [
        *("overview", "metrics", "samples", "classes", "training", "drift", "comparison", "corrections", "predictions")
    ]
    assert [tab.name for tab in TABS if tab.searchable] == ["predictions"]


@every_tab
def test_a_tab_is_of_one_problem(store: Store, backends: Backends, tab: Tab) -> None:
    store.predictions.write([prediction("a", problem="other") | {"model_name": "OtherModel"}])
    store.feedback.give("a", "x")
    store.suggestions.add(suggestion("s", problem="other"))
    assert all(panel.rows == [] or panel.drawing == "steps" for panel in tab.build(View(backends, asking())))
