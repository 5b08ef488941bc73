"""A correction that a request names is shown with its history, and can be taken back."""

from dataclasses import replace

import pytest

from common.store import Store
from common.store.tables import suggestions
from monitor.page.panels import Panel
from monitor.page.tabs import corrections
from monitor.page.view import Backends, FeedbackApi, View
from monitor.page.withdrawable import Withdrawable
from tests.common.store.rows import SETOSA, suggestion
from tests.common.store.trust.queued import quarantine
from tests.monitor.page.tabs.log import by_id, cells, today


def shown(backends: Backends, correction: str) -> Panel:
    asked = today().model_copy(update={"correction": correction})
    return by_id(corrections.build(View(backends, asked)))["correction"]


@pytest.fixture
def taking(backends: Backends) -> Backends:
    """A page that sends withdrawals on."""
    return replace(backends, feedback=FeedbackApi("http://api", "iris"))


def test_its_history_is_listed_oldest_first(store: Store, taking: Backends) -> None:
    store.suggestions.add(suggestion("a", source="key"))
    store.suggestions.trained(["a"], 3)
    panel = shown(taking, "a")
    assert [(row["state"], row["actor"], row["reason"]) for row in cells(panel)] == [
        ("received", "key", None),
        ("trained", "lab", "version 3"),
    ]
    assert panel.note == f"Correction a says {SETOSA}. It is trained."
    assert panel.withdrawal == Withdrawable(correction="a", source="key")


def test_a_correction_that_is_taken_back_is_not_taken_back_again(store: Store, taking: Backends) -> None:
    quarantine(store, "a")
    with store._database.writing() as connection:
        store.suggestions.change(connection, suggestions.c.id == "a", withdrawn_because="a wrong label")
    panel = shown(taking, "a")
    # The others of its client may still be taken back.
    assert panel.withdrawal == Withdrawable(source="192.0.2.1")
    assert panel.note[-16:] == "It is withdrawn."
    assert cells(panel)[-1]["reason"] == "a wrong label"


def test_a_correction_of_an_unknown_client_that_is_taken_back_has_no_form(store: Store, taking: Backends) -> None:
    store.suggestions.add(suggestion("a"))
    assert shown(taking, "a").withdrawal == Withdrawable(correction="a")
    store.trust.withdrawals.request("iris", ["a"], "request", "key", "a mistake")
    assert shown(taking, "a").withdrawal is None


@pytest.mark.parametrize("name", ["nobody", "elsewhere"])
def test_an_unknown_correction_is_named_as_such(store: Store, taking: Backends, name: str) -> None:
    store.suggestions.add(suggestion("elsewhere", problem="other"))
    panel = shown(taking, name)
    assert (panel.rows, panel.withdrawal) == ([], None)
    assert panel.empty.startswith("The store has no correction with this id.")


def test_without_a_name_there_is_no_such_panel(store: Store, taking: Backends) -> None:
    store.suggestions.add(suggestion("a"))
    assert "correction" not in by_id(corrections.build(View(taking, today())))
