"""A real Prometheus with the student's configuration, whose targets are rewritten to the grading's ports."""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from lesson.grading.programs import HOST, Programs, free_port, last_words
from lesson.grading.registry import answers
from lesson.grading.scratch import Scratch

PROGRAM = "prometheus"
INSTALL = "install Prometheus (Debian, Ubuntu: `apt-get install prometheus`; macOS: `brew install prometheus`)"
CONFIGS = ("prometheus.yml", "prometheus/prometheus.yml", "prometheus.yaml")
SECONDS = "1s"
OTHERS = re.compile(r"prometheus|grafana|mlflow|prefect|alertmanager|node|postgres|:9090|:5000|:4200|:3000")
VARIABLES = {
    "$__rate_interval": "15s",
    "${__rate_interval}": "15s",
    "$__interval": "15s",
    "${__interval}": "15s",
    "$__range": "15s",
    "${__range}": "15s",
}
VARIABLE = re.compile(r"\$\{?\w+(:\w+)?\}?")


class ConfigError(ValueError):
    """The student's configuration cannot be used; the message says why."""


@dataclass(frozen=True)
class RunningPrometheus:
    """A Prometheus that answers."""

    address: str

    def query(self, expr: str) -> list[Mapping[str, Any]]:
        """Return the series of an expression.

        Raises:
            ConfigError: Prometheus refuses the expression.
        """
        answer = httpx.get(f"{self.address}/api/v1/query", params={"query": expr}, timeout=10.0, trust_env=False).json()
        if answer["status"] != "success":
            raise ConfigError(answer.get("error", "refused"))
        found = answer["data"]["result"]
        return found if answer["data"]["resultType"] in {"vector", "matrix"} else [{"value": found}]

    def targets(self) -> list[Mapping[str, Any]]:
        """Return the targets that are scraped, with the error of the last scrape."""
        asked = httpx.get(f"{self.address}/api/v1/targets", params={"state": "active"}, timeout=10.0, trust_env=False)
        found: list[Mapping[str, Any]] = asked.json()["data"]["activeTargets"]
        return found


def config_file(project: Path) -> Path:
    """Return the student's configuration.

    Raises:
        ConfigError: there is none.
    """
    for name in CONFIGS:
        if (path := project / name).is_file():
            return path
    raise ConfigError(f"no {CONFIGS[0]}")


def rewritten(config: Any, api_port: int, own_port: int) -> dict[str, Any]:
    """Return a configuration that scrapes the api at its port, every second; other targets do not run.

    Raises:
        ConfigError: no job scrapes the api.
    """
    try:
        jobs = [dict(job) for job in config["scrape_configs"]]
        kept = []
        for job in jobs:
            targets = [str(each) for part in job.get("static_configs") or [] for each in part.get("targets") or []]
            text = " ".join(targets) or str(job["job_name"])
            is_api = "api" in text or "api" in str(job["job_name"]) or not OTHERS.search(text)
            is_own = "prometheus" in text or ":9090" in text
            if is_api or is_own:
                port = api_port if is_api else own_port
                kept.append(_scraping(job, port))
        if not any(f"{HOST}:{api_port}" in str(job) for job in kept):
            raise ConfigError(f"no job scrapes the api: {', '.join(str(job['job_name']) for job in jobs) or 'no jobs'}")
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"this is no list of jobs with static_configs ({error})") from error
    times = {"scrape_interval": SECONDS, "scrape_timeout": SECONDS, "evaluation_interval": SECONDS}
    others = {name: value for name, value in config.items() if name not in {"alerting", "remote_write", "remote_read"}}
    return {**others, "global": {**(config.get("global") or {}), **times}, "scrape_configs": kept}


def _scraping(job: dict[str, Any], port: int) -> dict[str, Any]:
    left_out = ("scrape_interval", "scrape_timeout")
    kept = {name: value for name, value in job.items() if name not in left_out and not name.endswith("sd_configs")}
    labels: dict[str, str] = next(
        (each["labels"] for each in job.get("static_configs") or [] if each.get("labels")), {}
    )
    return {**kept, "static_configs": [{"targets": [f"{HOST}:{port}"], "labels": labels}]}


@contextmanager
def student_prometheus(scratch: Scratch, programs: Programs, api_port: int) -> Iterator[RunningPrometheus]:
    """Run Prometheus with the student's configuration.

    Raises:
        ConfigError: there is none, or it is wrong.
        StartError: Prometheus does not start with it.
    """
    path, port = config_file(scratch.project), free_port()
    if tool := shutil.which("promtool"):
        checked = programs.run("promtool", [tool, "check", "config", str(path)], path.parent, programs.limits.answer)
        if checked.problem:
            raise ConfigError(last_words(checked.output))
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path.name}: {str(error)[:160]}") from error
    # Paths in the configuration are relative to its folder, so the copy stands beside it.
    graded = path.parent / "graded-prometheus.yml"
    graded.write_text(yaml.safe_dump(rewritten(config, api_port, port)), encoding="utf-8")
    command = [
        shutil.which(PROGRAM) or PROGRAM,
        f"--config.file={graded}",
        f"--storage.tsdb.path={scratch.own / 'prometheus'}",
        f"--web.listen-address={HOST}:{port}",
    ]
    with programs.background("Prometheus", command, scratch.own) as program:
        address = f"http://{HOST}:{port}"
        programs.until_ready(program, lambda: answers(f"{address}/-/ready"), programs.limits.start)
        yield RunningPrometheus(address)


def without_variables(expr: str) -> str:
    """Return an expression of a dashboard with values for Grafana's variables."""
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return VARIABLE.sub(".*", expr)


def has_series(prometheus: RunningPrometheus, expr: str) -> bool:
    """Return whether an expression has a series now."""
    with suppress(httpx.HTTPError):
        return bool(prometheus.query(expr))
    return False
