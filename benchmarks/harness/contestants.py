"""The servers that are compared: the api, an empty endpoint, a bare application, a tutorial's service, the peers."""

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

ROWS = 1000  # rows of a batch
API, CHALLENGED = "the api with everything on", "the api with everything on and a challenger"
TUTORIAL, ASKING_TUTORIAL = "a tutorial's service", "a tutorial's service that asks MLflow at each request"

Answers = Callable[[httpx.Client], bool]


@dataclass(frozen=True)
class Contestant:
    """A server with the requests for it.

    Attributes:
        start: runs the server; it is ready when the function `answers`, the second argument, returns true.
        one: the request for one row.
        many: the requests for `ROWS` rows, by the names of their formats.
        peer: whether the server is another project's.
    """

    name: str
    start: Callable[[Settings, Answers], AbstractContextManager[Running]]
    one: Question
    many: Mapping[str, Question] = field(default_factory=dict)
    peer: bool = False

    def asked(self, settings: Settings) -> AbstractContextManager[Running]:
        """Run the server; it is ready when it has answered one row with the right class."""
        return self.start(settings, self.one.answered)


@dataclass(frozen=True)
class Model:
    """The model that all servers serve, in memory and as files, and rows with its answers."""

    problem: Problem
    fitted: Fitted
    onnx: Path
    joblib: Path
    one: Asked
    many: Asked


def make_model(problem: Problem, settings: Settings) -> Model:
    """Fit the model, write its files, and compute its answers to the rows."""
    lab.say("make the model")
    made, folder = fitted.fit(problem, settings), settings.lab_home
    onnx, pickled = folder / "model.onnx", folder / "model.joblib"
    loaded = OnnxModel(made.bundle)
    # The other servers score outliers, too: their file has the scorer in its graph.
    onnx.write_bytes(made.bundle + bytes.fromhex(loaded.metadata["outlier_part"]))
    joblib.dump(made.model, pickled)
    X = loaded.as_rows([made.table.X[number % len(made.table.X)].tolist() for number in range(ROWS)]).astype("float32")
    one, many = (Asked(problem, rows, loaded.predict(rows).labels.tolist()) for rows in (X[:1], X))
    return Model(problem, made, onnx, pickled, one, many)


def ours(model: Model) -> Sequence[Contestant]:
    """Return the bare application, the empty endpoint, and the api: complete, with a challenger, without the log."""
    problem, bundle, one, many = model.problem, model.fitted.bundle, model.one, model.many
    formats = {'`{"data": …}`': many.data(), "OIP v2, JSON": many.open_json(), "OIP v2, binary": many.open_binary()}

    def contestant(service: Service, *, checked: bool) -> Contestant:
        return Contestant(service.name, _starting(service, problem), one.fields(checked=checked))

    return (
        *(contestant(service, checked=False) for service in (BARE, EMPTY)),
        replace(contestant(replace(whole(bundle), name=API), checked=True), many=formats),
        contestant(replace(challenged(bundle), name=CHALLENGED), checked=True),
        replace(contestant(unlogged(bundle), checked=True), many=formats),
    )


def tutorials(model: Model) -> Sequence[Contestant]:
    """Return the tutorial's two services; the second needs an MLflow server with this model as champion."""
    app, one = "benchmarks.headline.tutorial_service", model.one.fields()
    formats = {"a list of objects": model.many.flowers()}
    return (
        Contestant(TUTORIAL, partial(_tutorial, f"{app}:from_file", model), one, formats),
        Contestant(ASKING_TUTORIAL, partial(_tutorial, f"{app}:from_registry", model), one),
    )


def peers(model: Model) -> Sequence[Contestant]:
    """Return the peers."""
    one, many = model.one, model.many
    open_formats = {"OIP v2, JSON": many.open_json(), "OIP v2, binary": many.open_binary()}
    return (
        _peer("MLServer", "mlserver", model, one.open_json(), {"OIP v2, JSON": many.open_json()}),
        _peer("KServe's SDK", "kserve", model, one.instances(), {"v1": many.instances(), **open_formats}),
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
