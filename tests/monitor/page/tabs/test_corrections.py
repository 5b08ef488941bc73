"""The corrections tab says of each one where it is, and of each fine-tuning what came of it."""

from datetime import UTC, datetime

import pytest

from common.store import Store
from monitor.page.tabs import corrections
from monitor.page.view import Backends, View
from tests.common.store.rows import MODEL, SETOSA, prediction, suggestion
from tests.monitor.page.tabs.kept import RUN, learn
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
        "stuck": ("received", "not sent to Prefect after 1 attempts: no Prefect"),
        "delivered": ("delivered", "Prefect has it"),
        "waiting": ("waiting", "waiting (1 of 5)"),
        "learnt": ("trained", "learnt by version 2"),
        "bad": ("refused", "no such class"),
        "lie": ("quarantined", "version 3 was rolled back"),
    }
    assert found["learnt"]["version"] == "version 2|http://mlflow/#/models/IrisModel/versions/2"
    assert found["learnt"]["flow_run"] == f"flow run|http://prefect/runs/flow-run/{RUN}"
    assert found["delivered"]["prediction"] == "p|/tab/predictions?problem=iris&id=p"
    assert found["new"]["prediction"] is None
    assert {row["class"] for row in found.values()} == {SETOSA}
    received = [str(row["received"]) for row in found.values()]
    assert received == sorted(received, reverse=True)


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
        "These versions have learnt from no correction of these days",
    )


def test_corrections_are_those_of_the_days(sent: Store, backends: Backends) -> None:
    assert sent
    panels = by_id(corrections.build(View(backends, asking())))
    assert panels["corrections"].rows == panels["runs"].rows == []
    assert "POST /suggest" in panels["corrections"].empty
    assert table(panels["runs"]) == {}
