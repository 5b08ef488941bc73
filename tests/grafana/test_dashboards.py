"""The dashboards, tested without Grafana, which CI cannot install from a package index or its distribution.

The tests compare the JSON with the types of Grafana's schema, and Prometheus' own tool parses the queries.
tests/prometheus shows on a running stack that each query has a result.
"""

import re
from itertools import combinations
from pathlib import Path

import httpx
import pytest
import yaml

from common.settings import PROJECT
from grafana import limits
from grafana.build import DASHBOARDS as FOLDER
from grafana.build import build
from grafana.frame import MONITOR, TAG, descriptions
from monitor.monitor import create_app
from monitor.page.tabs import TABS
from tests.conftest import offline_settings, served
from tests.grafana.grafana_schema import mistakes
from tests.grafana.queries import DASHBOARDS, Json, filled, marks, panels, queries
from tests.prometheus.programs import exported, metrics_in, rules, run, said

PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in panels(dashboard)
]
COLUMNS = 24
# Metrics that Prometheus itself makes for its targets.
OF_PROMETHEUS = {"up"}
# Selectors of servers that all problems share.
OF_NO_PROBLEM = {'up{job=~"prefect|monitor"}'}


def test_the_committed_files_equal_the_output_of_the_code() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert committed == build(), "run `python -m grafana.build`, and commit what it writes"


def test_a_dashboard_is_valid_by_grafanas_own_schema(dashboard: Json) -> None:
    assert mistakes(dashboard) == []


def test_every_query_can_be_parsed_by_prometheus(dashboard: Json, tmp_path: Path) -> None:
    expressions = [filled(expr) for expr in (*queries(dashboard), *marks(dashboard))]
    recorded = [{"record": f"query_{number}", "expr": expr} for number, expr in enumerate(expressions)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": recorded}]}), encoding="utf-8")
    checked = run("promtool", "check", "rules", file)
    assert checked.returncode == 0, said(checked)
    assert f"{len(recorded)} rules found" in checked.stdout


def test_no_two_panels_overlap_and_none_is_too_wide(dashboard: Json) -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in dashboard["panels"]]
    assert [title for title, place in places if place["x"] + place["w"] > COLUMNS] == []
    assert [(one, other) for (one, a), (other, b) in combinations(places, 2) if overlap(a, b)] == []


def overlap(a: Json, b: Json) -> bool:
    beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
    above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
    return not (beside or above)


def test_no_two_panels_have_one_number_or_one_title(dashboard: Json) -> None:
    for each in ([panel["id"] for panel in dashboard["panels"]], [panel["title"] for panel in panels(dashboard)]):
        assert len(set(each)) == len(each)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_title_unit_description_and_data_source(panel: Json) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["title"]
    assert defaults["unit"]
    assert defaults["noValue"]
    assert len(panel["description"]) > len(panel["title"]) + 30
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert sources == [{"type": "prometheus", "uid": "prometheus"}] * len(sources)


def test_each_description_belongs_to_a_panel(dashboard: Json) -> None:
    assert list(descriptions(dashboard["title"])) == [panel["title"] for panel in panels(dashboard)]


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_about_the_chosen_problem_only(panel: Json) -> None:
    for target in panel["targets"]:
        selectors = re.findall(r"\w+\{[^}]*\}", target["expr"])
        assert selectors
        assert {each for each in selectors if '"$problem' not in each} <= OF_NO_PROBLEM


@pytest.mark.parametrize("panel", PANELS)
def test_a_rate_is_taken_over_a_window_that_fits_the_scrapes(panel: Json) -> None:
    windows = {
        window for target in panel["targets"] for window in re.findall(r"rate\([^[]*\[([^]]*)\]", target["expr"])
    }
    assert windows <= {"$__rate_interval"}


@pytest.mark.parametrize("panel", PANELS)
def test_a_legend_names_only_labels_that_the_query_keeps(panel: Json) -> None:
    for target in panel["targets"]:
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            assert re.search(rf"\b{label}\b", target["expr"])


@pytest.mark.parametrize("panel", PANELS)
def test_a_column_of_a_table_is_a_label_or_a_value_of_its_queries(panel: Json) -> None:
    organized = [each["options"] for each in panel.get("transformations", ()) if each["id"] == "organize"]
    several = len(panel["targets"]) > 1
    values = {f"Value #{target['refId']}" if several else "Value" for target in panel["targets"]}
    for name in (name for options in organized for name in options.get("includeByName", ())):
        assert name in values or re.search(rf"\b{name}\b", panel["targets"][0]["expr"])


def test_every_metric_is_exported_or_recorded(dashboard: Json, known_metrics: set[str]) -> None:
    named = {name for expr in (*queries(dashboard), *marks(dashboard)) for name in metrics_in(expr)}
    assert named - known_metrics == set()
    assert named, "no metric found: the test does not look where they are"


@pytest.fixture(scope="module")
def known_metrics(lone_api: httpx.Client, tmp_path_factory: pytest.TempPathFactory, prepared_data: Path) -> set[str]:
    offline = offline_settings(tmp_path_factory.mktemp("monitor"), prepared_data)
    with served(create_app(offline)) as monitor:
        recorded = {rule["record"] for rule in rules() if "record" in rule}
        return OF_PROMETHEUS | recorded | exported(lone_api) | exported(monitor)


def test_the_limits_equal_the_alerts_limits() -> None:
    def compared(alert: str) -> set[float]:
        numbers = [re.findall(r"[<>]=?\s*([\d.]+)", each["expr"]) for each in alerts() if each["alert"] == alert]
        return {float(number) for found in numbers for number in found}

    assert limits.ERRORS in compared("HighErrorRatio")
    assert limits.LATENCY_MS / 1000 in compared("HighLatency")
    assert limits.LOG_LAG in compared("PredictionLogLagging")
    assert limits.OUTLIERS in compared("ManyOutliers")
    assert limits.FEATURE_MEAN in compared("FeatureMeanOff")
    assert {limits.DRIFT, limits.WINDOW_ROWS} <= compared("Drift")
    assert limits.ACCURACY in compared("AccuracyBelowFloor")
    assert {limits.FINETUNE_AGE, limits.CORRECTIONS} <= compared("FinetuneFailing")
    assert limits.OUTBOX_AGE in compared("OutboxNotEmptying")
    assert limits.REVIEW_AGE in compared("ReviewsWaiting")
    assert {limits.QUARANTINED, limits.HOUR_CORRECTIONS} <= compared("ManyQuarantined")


def alerts() -> list[Json]:
    return [rule for rule in rules() if "alert" in rule]


def test_descriptions_name_only_existing_alerts() -> None:
    there_are = {each["alert"] for each in alerts()}
    texts = [panel["description"] for each in DASHBOARDS.values() for panel in panels(each)]
    named = {name for text in texts for name in re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", text)}
    assert len(named) > 5
    assert named <= there_are


def test_every_dashboard_has_its_address_the_choice_of_the_problem_and_links_to_the_others(dashboard: Json) -> None:
    assert dashboard["uid"].startswith("lab-")
    assert dashboard["tags"] == [TAG]
    others, *pages = dashboard["links"]
    assert (others["type"], others["tags"], others["includeVars"]) == ("dashboards", [TAG], True)
    problem, monitor = dashboard["templating"]["list"]
    assert (problem["name"], problem["current"]["value"], problem["multi"]) == ("problem", "iris", False)
    assert (monitor["name"], monitor["type"], monitor["query"]) == ("monitor", "textbox", MONITOR)
    paths = {f"${{monitor}}{path}?problem=${{problem}}" for path in ("/", *(f"/tab/{tab.name}" for tab in TABS[1:]))}
    assert pages
    assert {(link["type"], link["url"] in paths) for link in pages} == {("link", True)}
    assert (dashboard["refresh"], dashboard["time"]["from"]) == ("5s", "now-30m")


def test_addresses_differ_and_files_hold_no_changing_numbers() -> None:
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)
    assert [name for name, dashboard in DASHBOARDS.items() if {"id", "version", "iteration"} & dashboard.keys()] == []


def test_every_dashboard_marks_the_same_events(dashboard: Json) -> None:
    found = {mark["name"]: mark for mark in dashboard["annotations"]["list"]}
    assert list(found) == [
        *(
            "version served",
            "promoted",
            "rolled back",
            "refused",
            "corrections taken",
            "corrections quarantined",
            "drift",
            "alert",
        )
    ]
    assert found["version served"]["titleFormat"] == "version {{model_version}} serves"
    # Grafana 12 reads the target, Grafana 11 the expression beside it.
    assert [mark["target"]["expr"] for mark in found.values()] == [mark["expr"] for mark in found.values()]
    assert {mark["enable"] for mark in found.values()} == {True}


def test_provisioning_gives_grafana_the_data_source_and_read_only_dashboards() -> None:
    folder = PROJECT / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text(encoding="utf-8"))["datasources"]
    (files,) = yaml.safe_load((folder / "dashboards" / "dashboards.yml").read_text(encoding="utf-8"))["providers"]
    assert (source["uid"], source["type"], source["url"]) == ("prometheus", "prometheus", "http://prometheus:9090")
    assert (source["isDefault"], source["editable"], files["allowUiUpdates"]) == (True, False, False)
    assert files["options"]["path"] == "/var/lib/grafana/dashboards"
