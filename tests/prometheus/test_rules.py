"""Configuration, rules and alerts: Prometheus accepts them, each rule has a test, and each alert an explanation."""

import re
from pathlib import Path

import httpx
import pytest
import yaml

from common.settings import PROJECT, Settings
from grafana.limits import WINDOW_ROWS
from monitor.monitor import create_app
from monitor.statistics.breaches import ALL_KINDS
from monitor.statistics.enough import DRIFT_ROWS, LABELS, SHARE_ROWS
from tests.conftest import served
from tests.prometheus.programs import RULE_FILES, exported, metrics_in, rules, run, said

FOLDER = PROJECT / "prometheus"
UNIT_TESTS = sorted((FOLDER / "tests").glob("*.yml"))


def unit_test_cases() -> list[dict[str, object]]:
    """Return the single cases of the rules' unit tests."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in UNIT_TESTS]
    groups = [group for file in files for group in file["tests"]]
    return [
        case for group in groups for kind in ("alert_rule_test", "promql_expr_test") for case in group.get(kind, [])
    ]


def alerts() -> list[str]:
    return [rule["alert"] for rule in rules() if "alert" in rule]


def test_prometheus_accepts_the_configuration() -> None:
    ended = run("promtool", "check", "config", "--lint=all", "--lint-fatal", PROJECT / "prometheus.yml")
    assert ended.returncode == 0, said(ended)


def test_prometheus_accepts_the_rules_and_finds_none_twice() -> None:
    ended = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)
    assert ended.returncode == 0, said(ended)


def test_the_configuration_names_every_rule_file() -> None:
    named = yaml.safe_load((PROJECT / "prometheus.yml").read_text(encoding="utf-8"))["rule_files"]
    assert {PROJECT / name for name in named} == set(RULE_FILES)


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.name)
def test_rules_and_alerts_pass_their_unit_tests(path: Path) -> None:
    ended = run("promtool", "test", "rules", path)
    assert ended.returncode == 0, said(ended)


def test_every_rule_has_a_unit_test_and_every_alert_one_for_firing_and_one_for_silence() -> None:
    cases = unit_test_cases()
    assert {rule["record"] for rule in rules() if "record" in rule} == {
        case["expr"] for case in cases if "expr" in case
    }
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == set(alerts())
    assert {case["alertname"] for case in cases if case.get("exp_alerts") == []} == set(alerts())


def test_every_alert_has_severity_summary_description_and_runbook() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in {"page", "ticket"}
            assert rule["annotations"].keys() == {"summary", "description", "runbook"}
            assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"


def test_every_alert_has_its_section_in_the_operations_page_and_no_other_has() -> None:
    page = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
    introduction, *sections = re.split(r"^## ", page, flags=re.MULTILINE)
    by_title = {section.partition("\n")[0]: section for section in sections}
    assert introduction.startswith("# Operations")
    assert list(by_title) == ["How alerts reach people", *dict.fromkeys(alerts())]
    for alert in alerts():
        marks = re.findall(r"^\*\*(Means|Look at|Does not mean|Do)", by_title[alert], re.MULTILINE)
        assert marks == ["Means", "Look at", "Do", "Does not mean"], alert


def test_every_metric_that_a_rule_or_the_operations_page_names_is_exported_or_recorded(
    lone_api: httpx.Client, offline: Settings
) -> None:
    with served(create_app(offline)) as monitor:
        known = {"up", *exported(lone_api), *exported(monitor)}
    known |= {rule["record"] for rule in rules() if "record" in rule}
    named = set().union(*(metrics_in(rule["expr"]) for rule in rules()))
    assert named > {"up", "live_labels", "window_feature_psi", "true_pos"}
    assert named - known == set()
    page = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
    on_page = set(re.findall(r"\b\w+_(?:total|ratio|seconds|rows|psi|mean|version|count|sum|bucket)\b", page))
    assert len(on_page) > 10
    assert on_page - known - ALL_KINDS == set()


def test_alerts_require_as_many_rows_as_the_monitor() -> None:
    least = {
        (rule["alert"], found[0]): int(found[1])
        for rule in rules()
        for found in re.findall(r"(window_\w+|live_labels)\)? >= (\d+)", rule["expr"])
        if "alert" in rule
    }
    assert least == {
        ("ManyOutliers", "window_predictions"): SHARE_ROWS,
        ("Drift", "window_predictions"): DRIFT_ROWS,
        ("AccuracyBelowFloor", "live_labels"): LABELS,
    }
    assert WINDOW_ROWS == DRIFT_ROWS
