"""Fit every candidate of a problem, and register the best one."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

import mlflow
from mlflow.entities import Metric, Param, RunStatus

from common.bundle.export import Tested, export_tested
from common.bundle.model import ModelError
from common.bundle.outliers import OutlierScorer, outlier_scorer_for
from common.bundle.parity import check_parity
from common.files import md5, write_atomic
from common.problem import Candidate, Classifier, Ints, Problem, Table, epochs_run
from common.registry import publish
from common.registry.client import ANCHOR, CHALLENGER, CHAMPION, Version
from common.settings import Settings
from common.split import split
from common.table import read_table
from training.fitting import FitAll, one_after_the_other

METRICS_PER_REQUEST = 1000  # MLflow's limit


@dataclass(frozen=True)
class Data:
    """The prepared rows: those of train.csv, split into rows to fit and to validate on, and those of test.csv."""

    fitting: Table
    validation: Table
    test: Table


@dataclass(frozen=True)
class Result:
    """A fitted candidate, its metrics on the validation rows, and the id of its MLflow run once it is logged."""

    candidate: Candidate
    model: Classifier
    metrics: Mapping[str, float]
    run_id: str = ""

    @property
    def log_loss(self) -> float | None:
        """Log-loss on the validation rows, which decides; None for a model that gives no probabilities."""
        return self.metrics.get("val_log_loss")

    @property
    def error(self) -> float:
        """Share of validation rows with a wrong class; it decides where a model gives no probabilities."""
        return 1 - self.metrics["val_accuracy"]


LogMore = Callable[[Ints, Sequence[str]], None]


@dataclass(frozen=True)
class Trained:
    """The ONNX versions that a search has registered, and the results of all candidates, best first."""

    champion: Version
    challenger: Version | None
    results: Sequence[Result]


def train(
    problem: Problem, settings: Settings, fit_all: FitAll = one_after_the_other, log_more: LogMore | None = None
) -> Trained:
    """Fit all candidates; register the best as champion, and the best of another family as its challenger.

    Args:
        problem: has the candidates.
        settings: have the folder of the data and the address of MLflow.
        fit_all: fits the candidates, here or in other processes; the registered versions are the same in any case.
        log_more: logs more to the MLflow run of a version, from its confusion matrix on the test rows and the classes.

    Raises:
        DataError: the prepared data are missing or damaged.
        ModelError: an ONNX export does not answer as its model does; nothing is registered.
        WorkersError: the processes that should fit the candidates are missing or lost; nothing is registered.
    """
    data = _read(problem, settings)
    experiment_id = publish.use_mlflow(settings.mlflow_uri, problem.sklearn_name)
    candidates = problem.candidates()
    # A thread logs each run while the next candidates are fitted: most of logging is waiting for MLflow.
    with (
        ThreadPoolExecutor(max_workers=1) as logging,
        closing(fit_all(candidates, data.fitting, data.validation)) as fits,
    ):
        pending = [
            logging.submit(log_run, experiment_id, Result(candidate, fitted.model, fitted.metrics))
            for candidate, fitted in zip(candidates, fits, strict=True)
        ]
    results = ranked([logged.result() for logged in pending])
    best = results[0]
    other = next((each for each in results if each.candidate.family != best.candidate.family), None)
    scorer = outlier_scorer_for(problem, data.fitting, data.validation)
    # Both are exported before either is registered: a challenger that fails here must leave no champion behind.
    first = best, _export(problem, best, data, scorer)
    second = (other, _export(problem, other, data, scorer)) if other else None
    champion = _register(problem, settings, first, (ANCHOR, CHAMPION), log_more)
    write_atomic(settings.lab_home / "models" / problem.name / "model.onnx", first[1].graph.SerializeToString())
    challenger = _register(problem, settings, second, (CHALLENGER,), log_more) if second else None
    return Trained(champion, challenger, results)


def ranked(results: Sequence[Result]) -> list[Result]:
    """Sort results, best first: by log-loss, or by the share of wrong classes if a model gives no probabilities."""
    losses = [result.log_loss for result in results if result.log_loss is not None]
    keys = losses if len(losses) == len(results) else [result.error for result in results]
    return [results[index] for index in sorted(range(len(results)), key=keys.__getitem__)]


def learning_curves(model: Classifier) -> Mapping[str, Sequence[float]]:
    """Return the learning curves of a model by name, such as its loss: a value for each epoch or batch."""
    found: Mapping[str, Sequence[float]] = getattr(model, "curves_", {"loss": getattr(model, "loss_curve_", ())})
    return found


def log_run(experiment_id: str, result: Result) -> Result:
    """Log a result as an MLflow run: parameters, metrics, learning curves; return it with the run's id."""
    client, params = mlflow.MlflowClient(), result.candidate.params
    run = client.create_run(experiment_id, run_name=" ".join(f"{k}={v}" for k, v in params.items()))
    now = time.time_ns() // 1_000_000
    metrics = dict(result.metrics)
    if (epochs := epochs_run(result.model)) is not None:
        metrics["epochs_run"] = epochs
    points = [Metric(key, value, now, 0) for key, value in metrics.items()]
    points += [
        Metric(name, float(value), now, step)
        for name, curve in learning_curves(result.model).items()
        for step, value in enumerate(curve, start=1)
    ]
    settled = [Param(key, str(value)) for key, value in params.items()]
    for start in range(0, len(points), METRICS_PER_REQUEST):
        client.log_batch(run.info.run_id, points[start : start + METRICS_PER_REQUEST], settled if start == 0 else ())
    client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.FINISHED))
    return replace(result, run_id=run.info.run_id)


def _read(problem: Problem, settings: Settings) -> Data:
    rows = read_table(settings.data_dir / "train.csv", problem, indices=True)
    return Data(*split(rows), read_table(settings.data_dir / "test.csv", problem, indices=True))


def _export(problem: Problem, result: Result, data: Data, scorer: OutlierScorer | None) -> Tested:
    try:
        tested = export_tested(result.model, problem, data.fitting, data.test, scorer)
        # The candidate won by its answers to these rows, so the exported file must give the same ones.
        check_parity(tested.bundle, result.model, data.validation.X, scorer)
    except ModelError as error:
        named = " ".join(f"{name}={value}" for name, value in result.candidate.params.items())
        raise ModelError(f"the candidate {named} cannot be served, so nothing is registered: {error}") from error
    return tested


def _register(
    problem: Problem,
    settings: Settings,
    exported: tuple[Result, Tested],
    aliases: Sequence[str],
    log_more: LogMore | None,
) -> Version:
    result, tested = exported
    tags = publish.as_tags(tested.results)
    tags |= {name: str(value) for name, value in result.candidate.params.items()}
    tags |= {"train_md5": md5(settings.data_dir / "train.csv"), "run_id": str(result.run_id)}
    with mlflow.start_run(run_id=result.run_id):
        mlflow.log_metrics(tested.results)
        if log_more:
            log_more(tested.matrix, problem.target.classes)
        return publish.register(problem, settings, result.model, tested.graph, tags, *aliases)
