"""Who is asked the same: the api, what it is compared with most, the tutorial's way, and other people's servers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import httpx
import joblib

from benchmarks.harness import fitted, lab
from benchmarks.harness.fitted import Fitted
from benchmarks.harness.questions import Asked, Question
from benchmarks.harness.running import Running, running
from benchmarks.harness.serving import BARE, EMPTY, Service, challenged, serving, unlogged, whole
from benchmarks.peers.commands import command_of
from benchmarks.peers.environment import version_of
from common.bundle.model import OnnxModel
from common.problem import Problem
from common.settings import Settings
from scripts.stack import log_path, process_environment

ROWS = 1000  # of a batch
API, CHALLENGED = "the api with everything on", "the api with everything on and a challenger"
TUTORIAL, ASKING_TUTORIAL = "the tutorial's way", "the tutorial's way, asking MLflow at each request"

Answers = Callable[[httpx.Client], bool]


@dataclass(frozen=True)
class Contestant:
    """A server, how it is started, and what it is asked.

    Attributes:
        start: makes it run until `answers`, its second argument, is content with it.
        one: asks for a row.
        many: ask for `ROWS` rows, by the name of the way.
        peer: whether it is other people's.
    """

    name: str
    start: Callable[[Settings, Answers], AbstractContextManager[Running]]
    one: Question
    many: Mapping[str, Question] = field(default_factory=dict)
    peer: bool = False

    def asked(self, settings: Settings) -> AbstractContextManager[Running]:
        """Run it; it is ready when it has answered one row rightly."""
        return self.start(settings, self.one.answered)


@dataclass(frozen=True)
class Model:
    """What all serve, a file of each kind, and rows for it."""

    problem: Problem
    fitted: Fitted
    onnx: Path
    joblib: Path
    one: Asked
    many: Asked


def make_model(problem: Problem, settings: Settings) -> Model:
    """Fit the model, write its files, and ask it what it says of the rows."""
    lab.say("make the model")
    made, folder = fitted.fit(problem, settings), settings.lab_home
    onnx, pickled = folder / "model.onnx", folder / "model.joblib"
    onnx.write_bytes(made.bundle)
    joblib.dump(made.model, pickled)
    loaded = OnnxModel(made.bundle)
    X = loaded.as_rows([made.table.X[number % len(made.table.X)].tolist() for number in range(ROWS)]).astype("float32")
    one, many = (Asked(problem, rows, loaded.predict(rows).labels.tolist()) for rows in (X[:1], X))
    return Model(problem, made, onnx, pickled, one, many)


def ours(model: Model) -> Sequence[Contestant]:
    """Return the bare application, the empty endpoint, and the api: everything on, with a challenger, without a log."""
    problem, bundle, one, many = model.problem, model.fitted.bundle, model.one, model.many
    ways = {'`{"data": …}`': many.data(), "OIP v2, JSON": many.open_json(), "OIP v2, binary": many.open_binary()}

    def contestant(service: Service, *, checked: bool) -> Contestant:
        return Contestant(service.name, _starting(service, problem), one.fields(checked=checked))

    return (
        *(contestant(service, checked=False) for service in (BARE, EMPTY)),
        replace(contestant(replace(whole(bundle), name=API), checked=True), many=ways),
        contestant(replace(challenged(bundle), name=CHALLENGED), checked=True),
        replace(contestant(unlogged(bundle), checked=True), many=ways),
    )


def tutorials(model: Model) -> Sequence[Contestant]:
    """Return the tutorial's service, and the one that asks MLflow, which must run with this model as champion."""
    app, one = "benchmarks.headline.tutorial_service", model.one.fields()
    ways = {"a list of objects": model.many.flowers()}
    return (
        Contestant(TUTORIAL, partial(_tutorial, f"{app}:from_file", model), one, ways),
        Contestant(ASKING_TUTORIAL, partial(_tutorial, f"{app}:from_registry", model), one),
    )


def peers(model: Model) -> Sequence[Contestant]:
    """Return other people's servers."""
    one, many = model.one, model.many
    open_ways = {"OIP v2, JSON": many.open_json(), "OIP v2, binary": many.open_binary()}
    return (
        _peer("MLServer", "mlserver", model, one.open_json(), {"OIP v2, JSON": many.open_json()}),
        _peer("KServe's SDK", "kserve", model, one.instances(), {"v1": many.instances(), **open_ways}),
        _peer("BentoML", "bentoml", model, one.rows(), {"JSON": many.rows()}),
        _peer("LitServe", "litserve", model, one.rows(), {"JSON": many.rows()}),
        _peer("`mlflow models serve`", "mlflow", model, one.inputs(), {"JSON": many.inputs()}),
    )


def _peer(title: str, name: str, model: Model, one: Question, many: Mapping[str, Question]) -> Contestant:
    return Contestant(f"{title} {version_of(name)}", partial(_run_peer, name, model), one, many, peer=True)


def _starting(service: Service, problem: Problem) -> Callable[[Settings, Answers], AbstractContextManager[Running]]:
    return lambda settings, answers: serving(service, settings, problem, answers)


@contextmanager
def _tutorial(app: str, model: Model, settings: Settings, answers: Answers) -> Iterator[Running]:
    command = [*lab.uvicorn(app, settings.api_port), "--factory", "--no-access-log"]
    environment = {**process_environment(settings), "MODEL_FILE": str(model.joblib)}
    with running(command, environment, log_path(settings, "tutorial"), settings.api_port, answers) as started:
        yield started


@contextmanager
def _run_peer(name: str, model: Model, settings: Settings, answers: Answers) -> Iterator[Running]:
    command, environment = command_of(name, settings.api_port, settings.lab_home, model.onnx)
    with running(command, environment, log_path(settings, name), settings.api_port, answers) as started:
        yield started
