"""The corrections tab says of each one where it is, and of each fine-tuning what came of it."""

from datetime import UTC, datetime, timedelta

import pytest

from common.store import Store
from monitor.page.tabs import corrections
from monitor.page.view import Backends, Selection, View
from tests.common.store.rows import MODEL, SETOSA, prediction, suggestion
from tests.monitor.page.tabs.kept import RUN, learn
from tests.monitor.page.tabs.log import asking, by_id, table


def today(*versions: int) -> Selection:
    # And yesterday, in case that the day ends between what was sent and what is asked.
    day = datetime.now(UTC).date()
    return asking(day - timedelta(days=1), day, *versions)


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
    places = {column.name: place for place, column in enumerate(panel.columns)}
    found = {row[places["id"]]: row for row in panel.rows}
    told = {name: (row[places["state"]], row[places["detail"]]) for name, row in found.items()}
    assert told == {
        "new": ("received", "will be sent to Prefect"),
        "stuck": ("received", "not sent to Prefect after 1 attempts: no Prefect"),
        "delivered": ("delivered", "Prefect has it"),
        "waiting": ("waiting", "waiting (1 of 5)"),
        "learnt": ("trained", "learnt by version 2"),
        "bad": ("refused", "no such class"),
        "lie": ("quarantined", "version 3 was rolled back"),
    }
    assert found["learnt"][places["version"]] == "version 2|http://mlflow/#/models/IrisModel/versions/2"
    assert found["learnt"][places["flow_run"]] == f"flow run|http://prefect/runs/flow-run/{RUN}"
    assert found["delivered"][places["prediction"]] == "p|/tab/predictions?problem=iris&id=p"
    assert found["new"][places["prediction"]] is None
    assert {row[places["class"]] for row in panel.rows} == {SETOSA}
    received = [str(row[places["received"]]) for row in panel.rows]
    assert received == sorted(received, reverse=True)


def test_a_correction_whose_flow_run_is_gone_says_so(sent: Store, backends: Backends) -> None:
    sent.suggestions.run_lost(RUN, "its flow run is gone")
    panel = by_id(corrections.build(View(backends, today())))["corrections"]
    places = {column.name: place for place, column in enumerate(panel.columns)}
    told = {row[places["id"]]: row[places["detail"]] for row in panel.rows}
    assert told["delivered"] == told["waiting"] == "will be sent to Prefect again: its flow run is gone"
    assert told["learnt"] == "learnt by version 2"


def test_fine_tunings_are_told_by_the_version_or_the_refusal_that_came_of_them(
    store: Store, backends: Backends
) -> None:
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
    panel = by_id(corrections.build(View(backends, today())))["runs"]
    names = [column.name for column in panel.columns]
    found = [dict(zip(names, row, strict=True)) for row in panel.rows]
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
