"""The marks stand where something happened, and nowhere else: Prometheus' own engine looks at series made up for it."""

from pathlib import Path

import pytest
import yaml

from grafana.marks import marks
from tests.grafana.queries import filled
from tests.prometheus.programs import run, said

# Steps of 15 s: 20 before the event, 20 after it. Of each mark the series before and after, as promtool writes them.
HOW, UP = 'champion_changes{model_name="IrisModel", how="%s"}', ('up{job="monitor"}', "1x40")
LOGGED = ('logged_predictions_total{problem="iris", model_name="IrisModel"}', "5x40")
VERDICTS = 'judgements_total{problem="iris", verdict="%s"}'
SUGGESTIONS = 'suggestions{problem="iris", state="%s"}'
QUEUE = 'review_queue_corrections{problem="iris"}'
VERDICT = 'window_drift_verdict{problem="iris", subject="petal_width"}'
ALERT = 'ALERTS{alertstate="firing", alertname="Drift", problem="iris"}'
INFO = 'model_info{problem="iris", role="champion", model_version="%d"}'
SERVED = 'served_model_version{problem="iris", role="champion"}'
HAPPENED = {
    "version served": [(INFO % 1, "1x19 _x21"), (INFO % 2, "_x20 1x20"), (SERVED, "1x19 2x20")],
    "promoted": [UP, LOGGED, (HOW % "promoted", "1x19 2x20")],
    "promoted for the first time": [UP, LOGGED, (HOW % "promoted", "_x20 1x20")],
    "rolled back": [UP, LOGGED, (HOW % "rolled_back", "_x20 1x20")],
    "refused": [(VERDICTS % "refused", "0x19 1x20")],
    "corrections taken": [(SUGGESTIONS % "waiting", "2x19 3x20"), (SUGGESTIONS % "trained", "5x40")],
    "corrections quarantined": [(QUEUE, "0x19 3x20")],
    "drift": [(VERDICT, "0x19 1x3 0x16")],
    "alert": [(ALERT, "_x20 1x3 stale")],
}
NOTHING: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "promoted before the monitor began": ("promoted", [(UP[0], "_x20 1x20"), LOGGED, (HOW % "promoted", "_x20 1x20")]),
    "promoted in another way": ("promoted", [UP, LOGGED, (HOW % "registered", "_x20 1x20")]),
    "accepted": ("refused", [(VERDICTS % "accepted", "0x19 1x20")]),
    "learnt": ("corrections taken", [(SUGGESTIONS % "waiting", "5x19 0x20"), (SUGGESTIONS % "trained", "0x19 5x20")]),
    "reviewed": ("corrections quarantined", [(QUEUE, "3x19 0x20")]),
    "no drift": ("drift", [(VERDICT, "0x40")]),
}
EXPRESSIONS = {mark.name: filled(mark.expr or "") for mark in marks()}
BEFORE, THEN, LATER = "4m45s", "5m15s", "9m45s"


def has_result(folder: Path, expr: str, series: list[tuple[str, str]], at: str) -> bool:
    """Return whether an expression has a result at a time."""
    test = {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series],
        "promql_expr_test": [{"expr": f"count({expr}) or vector(0)", "eval_time": at, "exp_samples": []}],
    }
    file = folder / "test.yml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": [test]}), encoding="utf-8")
    ended = said(run("promtool", "test", "rules", file))
    assert "got:" in ended, ended
    return "{} 0E+00" not in ended and "{} 0\n" not in ended


@pytest.mark.parametrize("event", HAPPENED)
def test_a_mark_stands_at_the_time_of_its_event_only(tmp_path: Path, event: str) -> None:
    expr = EXPRESSIONS[event.removesuffix(" for the first time")]
    found = [has_result(tmp_path, expr, HAPPENED[event], at) for at in (BEFORE, THEN, LATER)]
    assert found == [False, True, False]


@pytest.mark.parametrize("event", NOTHING)
def test_another_event_has_no_mark(tmp_path: Path, event: str) -> None:
    name, series = NOTHING[event]
    assert not any(has_result(tmp_path, EXPRESSIONS[name], series, at) for at in (BEFORE, THEN, LATER))


def test_every_mark_has_an_event_here() -> None:
    assert {name.removesuffix(" for the first time") for name in HAPPENED} == set(EXPRESSIONS)
