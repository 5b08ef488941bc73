"""The api, an empty endpoint and a bare application, each served by uvicorn in one process on one core."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import httpx

from api.model.disk_copy import DiskCopy
from benchmarks.harness import lab
from benchmarks.harness.running import Running, running
from common.problem import Problem
from common.registry.client import Version
from common.settings import Settings
from scripts.stack import log_path, process_environment

CHAMPION, CHALLENGER = 3, 4  # version numbers
API = "api.api:create_app"
UNLOGGED = "the api without the log"


@dataclass(frozen=True)
class Service:
    """An application and its models as bundles; `app` names the function that makes the application."""

    name: str
    app: str
    champion: bytes = b""
    challenger: bytes = b""


BARE = Service("no framework: a bare ASGI application", "benchmarks.headline.answering_app:bare")
EMPTY = Service("an empty FastAPI endpoint", "benchmarks.headline.answering_app:empty")


def whole(bundle: bytes) -> Service:
    """Return the api with everything on but a challenger."""
    return Service("the api with everything on", API, bundle)


def challenged(bundle: bytes) -> Service:
    """Return the api with everything on and a challenger with the champion's bundle."""
    return replace(whole(bundle), name="the api with everything on and a challenger", challenger=bundle)


def unlogged(bundle: bytes) -> Service:
    """Return the api with everything on but the prediction log and a challenger."""
    return Service(UNLOGGED, "benchmarks.headline.answering_app:unlogged", bundle)


def is_ready(http: httpx.Client) -> bool:
    """Return whether a service is ready, by its `/readyz`."""
    return http.get("/readyz").is_success


def own_home(settings: Settings, name: str) -> Settings:
    """Return the settings with a home and a store of their own, so that a service starts with an empty log."""
    home = settings.lab_home / name
    return settings.model_copy(update={"lab_home": home, "database_url": f"sqlite:///{home}/lab.db"})


def keep_models(service: Service, settings: Settings, problem: Problem) -> None:
    """Write a service's models where the api keeps its copies and loads them from when it starts."""
    for role, number, content in (("champion", CHAMPION, service.champion), ("shadow", CHALLENGER, service.challenger)):
        if content:
            kept = DiskCopy(settings.state_dir / "served" / problem.onnx_name / role)
            kept.write(Version(problem.onnx_name, number, role, {}), content)


@contextmanager
def serving(
    service: Service, settings: Settings, problem: Problem, answers: Callable[[httpx.Client], bool] = is_ready
) -> Iterator[Running]:
    """Run a service on its core, with its models on disk and without MLflow; yield it when `answers` returns true."""
    keep_models(service, settings, problem)
    if service.champion:
        command = [sys.executable, "-m", "benchmarks.headline.serve_app", service.app, str(settings.api_port)]
    else:
        command = [*lab.uvicorn(service.app, settings.api_port), "--factory", "--no-access-log"]
    log, environment = log_path(settings, "service"), process_environment(settings)
    with running(command, environment, log, settings.api_port, answers) as started:
        yield started
