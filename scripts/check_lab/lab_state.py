"""The state of the lab: files, DVC, the store, and, if they answer, MLflow's registry and Prometheus."""

import asyncio
import configparser
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from common.files import md5
from common.problem import ProblemError, get_problem
from common.registry.client import CHALLENGER, CHAMPION, Registry, RegistryError, RegistryUnavailableError, Version
from common.settings import PROJECT, Settings
from scripts import watch
from scripts.check_lab.store_traces import StoreTraces, read_only, traces
from scripts.ports import listed_problems

VERSIONS = 1_000  # of a model, the newest
PROMETHEUS_SECONDS = 5.0
# Fifteen days are what Prometheus keeps by default.
FIRED = 'count by (alertname) (count_over_time(ALERTS{{alertstate="firing", problem="{problem}"}}[15d]))'


@dataclass(frozen=True)
class RegisteredModel:
    """The versions of a model in MLflow's registry, newest first, and the numbers under its aliases."""

    versions: Sequence[Version]
    champion: int | None
    challenger: int | None

    @property
    def trained(self) -> list[int]:
        """The versions that training made, and not fine-tuning, oldest first."""
        return sorted(each.number for each in self.versions if "continued_from" not in each.tags)


@dataclass(frozen=True)
class DataFiles:
    """The files of a problem under DVC.

    Attributes:
        rows: of train.csv and test.csv; None if one of them is missing.
        missing: names of files that dvc.lock lists and that are not there.
        changed: names of files that are not as dvc.lock says.
        remote: the address of DVC's default remote; None without one.
        pushed: whether the remote has all the files; None if the remote is no folder of this machine.
    """

    rows: tuple[int, int] | None
    missing: Sequence[str]
    changed: Sequence[str]
    remote: str | None
    pushed: bool | None


@dataclass(frozen=True)
class LabState:
    """The state of the lab at one moment, for one problem and in part for the others.

    Attributes:
        settings: where everything is.
        project: the folder of the code, with DVC's files and the demo.
        files: of the problem.
        store: traces in the store.
        used: problems with predictions.
        models: registered models by problem; None if MLflow does not answer.
        fired: names of the alerts that Prometheus has fired for the problem; None if it does not answer.
    """

    settings: Settings
    project: Path
    files: DataFiles
    store: StoreTraces
    used: frozenset[str]
    models: Mapping[str, RegisteredModel] | None
    fired: frozenset[str] | None

    @property
    def model(self) -> RegisteredModel | None:
        """The registered model of the problem; None if MLflow does not answer."""
        return self.models[self.settings.problem] if self.models is not None else None


def read_state(settings: Settings, project: Path = PROJECT) -> LabState:
    """Read the state of the lab, and change nothing. MLflow and Prometheus may be away.

    Raises:
        ProblemError: a problem's file is missing or wrong.
        SettingsError: params.yaml has no list of problems.
        StoreError: the store cannot be read.
    """
    problem = get_problem(settings.problem)
    with read_only(settings.database_url) as store:
        found = traces(store, problem)
        used = frozenset(name for name, _ in store.history.models())
    return LabState(
        settings=settings,
        project=project,
        files=data_files(settings, project),
        store=found,
        used=used,
        models=asyncio.run(_registry(settings.mlflow_uri, _model_names(problem.name))),
        fired=fired_alerts(watch.address(settings), settings.problem),
    )


def data_files(settings: Settings, project: Path) -> DataFiles:
    """Return how the files of the problem in LAB_HOME compare with dvc.lock, and whether DVC's remote has them."""
    locked = _locked(settings.problem, project)
    files = {"data.csv": "", **locked}
    folder = settings.data_dir
    there = {name: md5(folder / name) for name in files if (folder / name).is_file()}
    rows = [len((folder / name).read_bytes().splitlines()) - 1 for name in ("train.csv", "test.csv") if name in there]
    remote = _remote(project)
    return DataFiles(
        rows=(rows[0], rows[1]) if len(rows) == len(("train.csv", "test.csv")) else None,
        missing=[*([] if locked else ["the entry in dvc.lock"]), *(name for name in files if name not in there)],
        changed=[name for name, found in there.items() if files[name] not in {found, ""}],
        remote=remote,
        pushed=_pushed(remote, project, there.values()) if remote else False,
    )


def fired_alerts(address: str, problem: str) -> frozenset[str] | None:
    """Return the names of a problem's alerts that Prometheus at `address` has fired; None if it does not answer."""
    query = {"query": FIRED.format(problem=problem)}
    try:
        answer = httpx.get(f"{address}/api/v1/query", params=query, timeout=PROMETHEUS_SECONDS).raise_for_status()
        return frozenset(str(each["metric"]["alertname"]) for each in answer.json()["data"]["result"])
    except (httpx.HTTPError, json.JSONDecodeError, KeyError, TypeError):
        return None


def _locked(problem: str, project: Path) -> dict[str, str]:
    """Return the MD5 of the files that DVC made of the raw data, and of these data, by name; empty without dvc.lock."""
    try:
        stage = yaml.safe_load((project / "dvc.lock").read_bytes())["stages"][f"preprocess@{problem}"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return {}
    folder = f"data/{problem}/"
    return {
        each["path"].removeprefix(folder): each["md5"]
        for each in (*stage["deps"], *stage["outs"])
        if each["path"].startswith(folder)
    }


def _remote(project: Path) -> str | None:
    config = configparser.ConfigParser()
    try:
        config.read([project / ".dvc" / "config", project / ".dvc" / "config.local"], encoding="utf-8")
        name = config.get("core", "remote", fallback=None)
        return config.get(f"'remote \"{name}\"'", "url", fallback=None)
    except configparser.Error:
        return None


def _pushed(remote: str, project: Path, hashes: Any) -> bool | None:
    if "://" in remote:
        return None
    # DVC writes a folder as seen from its own. Its file for a hash has the first two digits as its folder.
    files = project / ".dvc" / remote / "files" / "md5"
    return all((files / each[:2] / each[2:]).is_file() for each in hashes)


def _model_names(problem: str) -> dict[str, str]:
    """Return the names of the ONNX models of all listed problems, and of this one, by problem."""
    names = {}
    for each in dict.fromkeys((problem, *listed_problems())):
        try:
            names[each] = get_problem(each).onnx_name
        except ProblemError:
            # A student's own problem file may be unfinished; the tasks of others can be checked all the same.
            if each == problem:
                raise
    return names


async def _registry(uri: str, names: Mapping[str, str]) -> dict[str, RegisteredModel] | None:
    try:
        async with Registry(uri) as registry:
            return {problem: await _registered(registry, name) for problem, name in names.items()}
    except (RegistryUnavailableError, RegistryError):
        return None


async def _registered(registry: Registry, name: str) -> RegisteredModel:
    champion, challenger = await registry.aliased(name, CHAMPION), await registry.aliased(name, CHALLENGER)
    numbers = [each.number if each else None for each in (champion, challenger)]
    return RegisteredModel(await registry.versions(name, VERSIONS), *numbers)
