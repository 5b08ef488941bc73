"""The choice of the problem: every problem that Prometheus knows can be chosen, and only its figures are shown.

`promtool test rules` evaluates the expressions with Prometheus' own engine on series that these tests make up.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.grafana.queries import Json, filled, marks, queries
from tests.prometheus.programs import metrics_in, run, said

# The servers that all problems share; every problem shows them.
OF_NO_PROBLEM = {'min by (job) (up{job=~"prefect|monitor"})'}
OTHER = "breast_cancer"
# All labels that the queries select, group or join by, so that every join finds its partner.
LABELS = {
    "problem": OTHER,
    "model_name": "BreastCancerModel",
    "model_version": "1",
    "role": "champion",
    "instance": "api:8000",
    "job": "api",
    "class_name": "benign",
    "true_class": "benign",
    "predicted_class": "benign",
    "feature": "mean radius",
    "subject": "mean radius",
    "handler": "/predict",
    "how": "registered",
    "le": "+Inf",
    "alertname": "Drift",
    "git_commit": "c0ffee",
    "train_md5": "d41d8c",
}
GROWING = "0+10x40"  # from 0, by 10 at each of 40 steps
STEP, NOW = "15s", "10m"
SELECTOR = re.compile(r"(\w+)\{([^}]*)\}")
EXACT = re.compile(r'(\w+)="([^"$]*)"')
ONE_ZERO = [{"labels": "{}", "value": 0}]


def asked(dashboard: Json) -> list[str]:
    """Return the expressions of a dashboard's panels and marks that select a problem, each once."""
    return sorted({*queries(dashboard), *marks(dashboard)} - OF_NO_PROBLEM)


def written(name: str, labels: Mapping[str, str]) -> str:
    inside = ", ".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{inside}}}"


def series_of_another(expressions: Sequence[str]) -> Iterator[str]:
    """Yield series of the other problem for every metric of the expressions, with the labels that they select."""
    for expr in expressions:
        for name, matchers in SELECTOR.findall(expr):
            yield written(name, LABELS | dict(EXACT.findall(matchers)))
        for name in metrics_in(expr):
            yield written(name, LABELS)


def evaluated(folder: Path, series: Sequence[str], expected: Mapping[str, Sequence[Json]]) -> tuple[int, str]:
    """Let Prometheus evaluate expressions on growing series; return the number of unexpected results and the output."""
    test: dict[str, Any] = {
        "interval": STEP,
        "input_series": [{"series": each, "values": GROWING} for each in series],
        "promql_expr_test": [
            {"expr": expr, "eval_time": NOW, "exp_samples": list(samples)} for expr, samples in expected.items()
        ],
    }
    file = folder / "test.yml"
    file.write_text(yaml.safe_dump({"evaluation_interval": STEP, "tests": [test]}), encoding="utf-8")
    ended = run("promtool", "test", "rules", file)
    unexpected = said(ended).count("expr:")
    assert (ended.returncode == 0) == (unexpected == 0), said(ended)
    return unexpected, said(ended)


def nothing(expressions: Sequence[str], problem: str) -> dict[str, Sequence[Json]]:
    """Return the expressions for a problem, each with its result when the problem has no series."""
    complete = {filled(expr, problem) for expr in expressions}
    return {expr: ONE_ZERO if expr.endswith("or vector(0)") else [] for expr in sorted(complete)}


def test_no_figure_of_another_problem_is_shown(dashboard: Json, tmp_path: Path) -> None:
    expressions = asked(dashboard)
    series = sorted(set(series_of_another(expressions)))
    unexpected, what = evaluated(tmp_path, series, nothing(expressions, "iris"))
    assert unexpected == 0, what
    # For the other problem, every expression finds these series.
    own = nothing(expressions, OTHER)
    found, what = evaluated(tmp_path, series, own)
    assert found == len(own), what


def test_every_dashboard_with_a_problems_figures_has_the_choice(dashboard: Json) -> None:
    assert any("$problem" in expr for expr in queries(dashboard))
    [variable] = [each for each in dashboard["templating"]["list"] if each["name"] == "problem"]
    assert (variable["type"], variable["datasource"]) == ("query", {"type": "prometheus", "uid": "prometheus"})
    # Grafana reads the choices when a dashboard is opened, so that they include an api that has just started.
    assert variable["refresh"] in (1, 2)
    assert not variable.get("hide")
    assert "options" not in variable


@pytest.mark.parametrize(
    ("known", "choices"),
    [
        (['up{job="api", problem="iris"}', 'up{job="api", problem="breast_cancer"}'], {"iris", "breast_cancer"}),
        (['logged_predictions_total{problem="travel_insurance", role="champion"}'], {"travel_insurance"}),
        (['up{job="prometheus"}', 'up{job="monitor"}'], set()),
    ],
    ids=["with a running api", "without a running api", "none"],
)
def test_the_choices_are_the_problems_that_prometheus_knows(
    dashboard: Json, tmp_path: Path, known: list[str], choices: set[str]
) -> None:
    variable, _ = dashboard["templating"]["list"]
    asks = re.fullmatch(r"label_values\((\{.*\}), problem\)", variable["query"])
    assert asks is not None
    counted = [{"labels": f'{{problem="{name}"}}', "value": 1} for name in sorted(choices)]
    unexpected, what = evaluated(tmp_path, known, {f"count by (problem) ({asks[1]})": counted})
    assert unexpected == 0, what
