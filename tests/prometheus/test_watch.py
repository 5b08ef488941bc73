"""`make watch`: a real Prometheus on a real stack, with every query of the rules and the dashboards."""

import asyncio
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import mlflow
import pytest
import yaml

from common.problem import Problem
from common.settings import PROJECT, Settings
from common.table import read_table
from monitor.monitor import create_app
from scripts import watch
from scripts.apis import announced
from scripts.check_lab.lab_state import fired_alerts
from scripts.parts import answers, free_port, process, stop, wait_for
from scripts.ports import Listener
from scripts.stack import log_path, process_environment
from scripts.traffic import new_client, send
from scripts.traffic_rows import Traffic
from tests import servers
from tests.conftest import StartApi, offline_settings, served, served_version
from tests.grafana.queries import DASHBOARDS, filled, marks, queries
from tests.prometheus.programs import ask, program, rules, run, said
from tests.test_loop import forget_runs, suggest
from training.search import train

JOBS = {"api", "monitor", "prefect", "prometheus"}
TRAFFIC = Traffic(rate=20, seconds=4, labels=0.9, label_delay=0.2, wrong_labels=0.05, outliers=0.05, seed=7)


@dataclass(frozen=True)
class Watched:
    """A stack after its traffic, and the Prometheus that has scraped it; `moment` is a time after the traffic."""

    address: str
    exporters: dict[str, str]
    moment: float

    def values(self, expr: str) -> list[float]:
        """Return the values of an expression at `moment`."""
        result = ask(self.address, "query", query=expr, time=self.moment)["result"]
        return [float(sample["value"][1]) for sample in result]


@pytest.fixture(scope="module")
def lab(
    tmp_path_factory: pytest.TempPathFactory, prepared_data: Path, mlflow_uri: str, prefect_api_url: str
) -> Iterator[Settings]:
    """A lab on the tests' servers, without models and flow runs of other labs."""
    client = mlflow.MlflowClient(mlflow_uri)
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)
    servers_of_it = {
        "mlflow_uri": mlflow_uri,
        "prefect_api_url": prefect_api_url,
        "prefect_port": httpx.URL(prefect_api_url).port,
        "prometheus_port": free_port(),
        "evaluate_seconds": 1,
    }
    offline = offline_settings(tmp_path_factory.mktemp("watched"), prepared_data)
    on_servers = offline.model_copy(update=servers_of_it)
    forget_runs(on_servers)
    yield on_servers
    forget_runs(on_servers)


def close_the_loop(api: httpx.Client) -> None:
    """Send five corrections until version 2 serves, then make version 1 the challenger."""
    suggest(api, range(5))
    wait_for("the fine-tuned version", lambda: served_version(api) == 2, within=90)
    api.post("/models/1/challenge").raise_for_status()
    wait_for("the challenger", lambda: api.get("/models").raise_for_status().json()["challenger"] == 1)


def send_traffic(api: httpx.Client, problem: Problem, lab: Settings) -> None:
    """Send predictions, feedback, a refused request, and enough rows for a population stability index."""
    rows = read_table(lab.data_dir / "data.csv", problem, indices=False)

    async def sending() -> None:
        async with new_client(str(api.base_url), lab) as client:
            tally = await send(TRAFFIC, problem, rows, client, lambda _: None)
        assert not tally.failed
        assert tally.labels > 0

    asyncio.run(sending())
    assert api.post("/predict", json={}).is_client_error
    api.post("/predict", json={"data": rows.X.tolist() * 4}).raise_for_status()


def wait_until_seen(address: str) -> float:
    """Wait until Prometheus has labels of the challenger and results of every recording rule; return the time."""
    last = 'live_label_coverage_ratio{role="shadow"} > 0 and on (problem) window_predictions >= 500'
    wait_for("the last of the recording rules", lambda: ask(address, "query", query=last)["result"])
    wait_for("an index of every feature", lambda: len(ask(address, "query", query="window_feature_psi")["result"]) == 4)
    return time.time()


def every_second(config: watch.Config) -> watch.Config:
    """Return the configuration with scrapes and evaluations at each second."""
    pace = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    jobs = [{**job, **pace} for job in config["scrape_configs"]]
    return {**config, "global": {**pace, "evaluation_interval": "1s"}, "scrape_configs": jobs}


@pytest.fixture(scope="module")
def watched(lab: Settings, problem: Problem, start_api: StartApi) -> Iterator[Watched]:
    program("prometheus")
    winner = [c for c in problem.candidates() if c.params == {"hidden_layers": 4, "epochs": 500}]
    train(replace(problem, candidates=lambda: winner), lab)
    with ExitStack() as stack:
        api = stack.enter_context(start_api(lab))
        monitor = stack.enter_context(served(create_app(lab)))
        here = lab.model_copy(update={"api_port": api.base_url.port, "monitor_port": monitor.base_url.port})
        watch.write_config(every_second(watch.config_for(here)), here)
        stack.enter_context(watch.prometheus(here))
        with servers.worker(lab):
            close_the_loop(api)
        send_traffic(api, problem, lab)
        exporters = {
            "api": str(api.base_url.join("/metrics")),
            "monitor": str(monitor.base_url.join("/metrics")),
            "prefect": f"{lab.prefect_api_url}/metrics",
        }
        yield Watched(watch.address(here), exporters, wait_until_seen(watch.address(here)))


def test_every_target_is_up_and_only_the_api_has_a_problem_label(watched: Watched) -> None:
    targets = ask(watched.address, "targets")["activeTargets"]
    assert {target["labels"]["job"]: target["health"] for target in targets} == dict.fromkeys(JOBS, "up")
    assert {target["labels"]["job"]: target["labels"].get("problem") for target in targets} == {
        **dict.fromkeys(JOBS),
        "api": "iris",
    }


@pytest.mark.parametrize("exporter", ["api", "monitor", "prefect"])
def test_promtool_finds_no_mistake_in_an_exporters_metrics(watched: Watched, exporter: str) -> None:
    shown = httpx.get(watched.exporters[exporter]).raise_for_status()
    # Prometheus 3 refuses an exporter whose content type it does not know.
    assert re.match(r"(text/plain|application/openmetrics-text); ?version=", shown.headers["content-type"])
    ended = run("promtool", "check", "metrics", given=shown.text)
    assert (ended.returncode, ended.stderr) == (0, ""), said(ended)


def test_every_rule_is_evaluated_without_an_error(watched: Watched) -> None:
    groups = ask(watched.address, "rules")["groups"]
    evaluated = [rule for group in groups for rule in group["rules"]]
    assert len(evaluated) == len(rules())
    assert [rule for rule in evaluated if rule["health"] != "ok" or rule.get("lastError")] == []


@pytest.mark.parametrize("name", [rule["record"] for rule in rules() if "record" in rule])
def test_a_recording_rule_has_found_champion_and_challenger(watched: Watched, name: str) -> None:
    for role, version in (("champion", 2), ("shadow", 1)):
        values = watched.values(f'{name}{{problem="iris", model_version="{version}", role="{role}"}}')
        assert values
        assert all(0 <= value < 1e4 for value in values)


def loosened(expr: str) -> str:
    """Return an alert's expression that has a value, 0 or 1, wherever the alert finds its series.

    It selects and joins the same series. `unless` becomes `and`, because a healthy system has the series whose absence
    the alert reports. All answers take the place of errors.
    """
    compared = re.sub(r"(==|!=|>=|<=|>|<) (?=[0-9.])", r"\1 bool ", expr)
    return compared.replace("unless on", "and on").replace('status="5xx"', 'status="2xx"')


ALERTS = {f"{rule['alert']} {number}": rule["expr"] for number, rule in enumerate(rules()) if "alert" in rule}


@pytest.mark.parametrize("expr", ALERTS.values(), ids=ALERTS.keys())
def test_an_alert_finds_its_series_and_is_silent_in_a_healthy_system(watched: Watched, expr: str) -> None:
    assert watched.values(loosened(expr))
    firing = ask(watched.address, "alerts")["alerts"]
    assert [alert for alert in firing if alert["state"] == "firing"] == []


def test_the_check_of_the_lab_asks_prometheus_which_alerts_have_fired(watched: Watched) -> None:
    assert fired_alerts(watched.address, "iris") == frozenset()
    assert fired_alerts(f"http://127.0.0.1:{free_port()}", "iris") is None


def panel_queries() -> list[Any]:
    return [
        pytest.param(query, id=f"{name} {number}")
        for name, dashboard in DASHBOARDS.items()
        for number, query in enumerate(queries(dashboard))
    ]


def test_there_are_dashboards_with_queries() -> None:
    assert len(DASHBOARDS) >= 4
    assert len(panel_queries()) > len(DASHBOARDS)


@pytest.mark.parametrize("query", panel_queries())
def test_the_query_of_a_panel_has_numbers_as_result(watched: Watched, query: str) -> None:
    values = watched.values(filled(query))
    assert values
    assert [value for value in values if value == value], "nothing but NaN"  # noqa: PLR0124  # only NaN is not itself


@pytest.mark.parametrize("name", DASHBOARDS)
def test_prometheus_accepts_the_queries_of_the_marks(watched: Watched, name: str) -> None:
    for mark in marks(DASHBOARDS[name]):
        ask(watched.address, "query_range", query=filled(mark), start=watched.moment - 60, end=watched.moment, step=15)


def test_the_embedded_stacks_configuration_is_the_projects_with_other_addresses(offline: Settings) -> None:
    project = yaml.safe_load((PROJECT / "prometheus.yml").read_text(encoding="utf-8"))
    config = watch.config_for(offline.model_copy(update={"api_port": 1, "prefect_port": 2, "prometheus_port": 3}))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert set(jobs) == JOBS == {job["job_name"] for job in project["scrape_configs"]}
    assert jobs["api"]["static_configs"] == [{"targets": ["127.0.0.1:1"], "labels": {"problem": "iris"}}]
    assert jobs["prefect"]["static_configs"] == [{"targets": ["127.0.0.1:2"], "labels": {}}]
    assert jobs["prefect"]["metrics_path"] == "/api/metrics"
    assert (jobs["api"]["scrape_interval"], config["global"]) == ("5s", project["global"])
    assert "alerting" not in config
    path = watch.write_config(config, offline)
    ended = run("promtool", "check", "config", path)
    assert ended.returncode == 0, said(ended)


def test_running_apis_take_the_place_of_the_api_in_the_settings(offline: Settings) -> None:
    def api_targets(settings: Settings) -> Any:
        (job,) = [each for each in watch.config_for(settings)["scrape_configs"] if each["job_name"] == "api"]
        return job["static_configs"], job["file_sd_configs"]

    other = Settings(lab_home=offline.lab_home, problem="breast_cancer")
    files = [{"files": [f"{offline.lab_home}/.lab/apis/*.json"]}]
    alone = [{"targets": ["127.0.0.1:8000"], "labels": {"problem": "breast_cancer"}}]
    assert api_targets(other) == (alone, files)
    with announced(offline):
        assert api_targets(other) == ([], files)


def test_watch_prints_prometheus_address_and_ctrl_c_ends_it(offline: Settings, tmp_path: Path) -> None:
    program("prometheus")
    lab, output = offline.model_copy(update={"prometheus_port": free_port()}), tmp_path / "output"
    other = lab.model_copy(update={"problem": "breast_cancer", "api_port": free_port()})
    with (
        announced(lab),
        announced(other),
        process([sys.executable, "-m", "scripts.watch"], output, environment(lab)) as watching,
    ):
        wait_for("the address", lambda: f"{watch.address(lab)}/alerts" in output.read_text())
        both = sorted((each.problem, f"127.0.0.1:{each.api_port}") for each in (lab, other))
        wait_for("the apis", lambda: apis_of(watch.address(lab)) == both)
        assert jobs_of(watch.address(lab)) == JOBS
        stop(watching, signal.SIGINT)
        assert watching.returncode == 0
    assert output.read_text().endswith("stopped\n")
    assert not answers(f"{watch.address(lab)}/-/ready")
    Listener("Prometheus", lab.prometheus_port, "PROMETHEUS_PORT").check_free()
    assert (offline.state_dir / "prometheus" / "data").is_dir()


def test_a_prometheus_that_cannot_start_ends_watch_with_its_last_output(offline: Settings, tmp_path: Path) -> None:
    program("prometheus")
    lab = offline.model_copy(update={"prometheus_port": free_port()})
    (offline.state_dir / "prometheus").mkdir(parents=True)
    (offline.state_dir / "prometheus" / "data").write_text("in the way", encoding="utf-8")
    ended, output = ended_watch(environment(lab), tmp_path)
    assert ended == 1
    assert output.startswith("watch: Prometheus ended with code ")
    assert str(log_path(lab, "prometheus")) in output
    assert "not a directory" in output


def test_a_missing_prometheus_and_a_used_port_are_errors_of_one_line(offline: Settings, tmp_path: Path) -> None:
    lab = offline.model_copy(update={"prometheus_port": free_port()})
    nowhere = {**environment(lab), "PATH": str(tmp_path)}
    ended, output = ended_watch(nowhere, tmp_path / "missing")
    assert (ended, output.count("\n")) == (1, 1)
    assert "apt-get install prometheus" in output
    with served(create_app(lab)) as somebody:
        taken = lab.model_copy(update={"prometheus_port": somebody.base_url.port})
        ended, output = ended_watch(environment(taken), tmp_path / "taken")
    assert (ended, output.count("\n")) == (1, 1)
    assert "PROMETHEUS_PORT" in output


def jobs_of(address: str) -> set[str]:
    return {target["labels"]["job"] for target in ask(address, "targets")["activeTargets"]}


def apis_of(address: str) -> list[tuple[str, str]]:
    labels = [target["labels"] for target in ask(address, "targets")["activeTargets"]]
    return sorted((each["problem"], each["instance"]) for each in labels if each["job"] == "api")


def environment(lab: Settings) -> dict[str, str]:
    return {**process_environment(lab), "PROMETHEUS_PORT": str(lab.prometheus_port)}


def ended_watch(environment: dict[str, str], folder: Path) -> tuple[int, str]:
    """Run `python -m scripts.watch` until it ends; return its exit code and output."""
    with process([sys.executable, "-m", "scripts.watch"], folder / "output", environment) as watching:
        code = watching.wait(timeout=60)
    return code, (folder / "output").read_text(encoding="utf-8")
