"""From corrections to a registered version, step by step. Plain functions, which know nothing of Prefect."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np

from common import publish
from common.files import md5
from common.onnx_export import check_parity, export_onnx
from common.outliers import OutlierScorer, outlier_scorer_for
from common.problem import Classifier, Problem, Table
from common.registry import Version
from common.settings import Settings
from common.split import split
from common.table import read_table
from finetune.gate import Verdict, judge


class NothingToContinueError(LookupError):
    """The registry has no scikit-learn model to go on from."""


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned model.

    Attributes:
        rows: what it has learnt from, corrections last.
        scorer: of outliers; it knows the corrections too. None where there are no numbers to tell them by.
        tags: where it comes from: the version before, and the hashes of its data.
        run_id: its run in MLflow.
    """

    model: Classifier
    rows: Table
    scorer: OutlierScorer | None
    tags: Mapping[str, str]
    run_id: str


def version_of_same_data(problem: Problem, settings: Settings, added: Path) -> Version | None:
    """Return the ONNX version that has learnt from exactly the data as they are now; None if there is none.

    There is one when an earlier attempt ended after registering and before it could say so. One that a newer champion
    has overtaken does not count: that champion has learnt less.
    """
    publish.use_mlflow(settings.mlflow_uri, problem.sklearn_name)
    found = publish.newest(problem.onnx_name, _data_tags(settings, added))
    champion = publish.champion(problem.onnx_name)
    overtaken = found and champion and found.number < champion.number
    return None if overtaken else found


def continue_champion(problem: Problem, settings: Settings, added: Path) -> Tuned:
    """Continue the champion's scikit-learn version with all rows of a file, in an MLflow run of its own.

    Args:
        problem: says how.
        settings: say where MLflow and train.csv are.
        added: finetune.csv with the corrections, or later.csv.

    Raises:
        NothingToContinueError: there is no version yet.
        DataError: a file is missing or damaged.
    """
    publish.use_mlflow(settings.mlflow_uri, problem.sklearn_name)
    base = publish.champion(problem.sklearn_name)
    if base is None:
        raise NothingToContinueError(f"there is no {problem.sklearn_name} to continue: run `python main.py` first")
    original = read_table(settings.data_dir / "train.csv", problem, indices=True)
    corrections = read_table(added, problem, indices=True)
    model = problem.continue_training(publish.load_sklearn(base), original, corrections)
    # What was searched for holds on: the version learns more, it is not built anew.
    names = {name for candidate in problem.candidates() for name in candidate.params}
    params = {name: base.tags[name] for name in sorted(names) if name in base.tags}
    with mlflow.start_run(run_name=f"fine-tune version {base.number}") as run:
        mlflow.log_params({**params, "continued_from": base.number, "corrections": len(corrections.y)})
        # So that the run itself shows what came of it: step 0 is before, step 1 after.
        tested = {name: float(value) for name, value in base.tags.items() if name.startswith("test_")}
        mlflow.log_metrics(tested, step=0)
    fitting, validation = split(original)
    scorer = outlier_scorer_for(problem, _concatenate(fitting, corrections), validation)
    tags = {**params, **_data_tags(settings, added), "continued_from": str(base.number)}
    return Tuned(model, _concatenate(original, corrections), scorer, tags, run.info.run_id)


def check_accuracy(problem: Problem, settings: Settings, tuned: Tuned) -> Verdict:
    """Judge the model on test.csv, and log the results, with the reason if it is refused, to its run."""
    test = read_table(settings.data_dir / "test.csv", problem, indices=True)
    verdict = judge(problem, tuned.model, test)
    with mlflow.start_run(run_id=tuned.run_id):
        mlflow.log_metrics({f"test_{name}": value for name, value in verdict.metrics.items()}, step=1)
        if verdict.refused_because:
            mlflow.set_tag("refused_because", verdict.refused_because)
    return verdict


def register(problem: Problem, settings: Settings, tuned: Tuned, verdict: Verdict) -> Version:
    """Export the model, check that ONNX says the same, and register both flavours as the next version.

    Raises:
        ModelError: the export does not say the same; nothing is registered.
    """
    test = read_table(settings.data_dir / "test.csv", problem, indices=True)
    graph = export_onnx(tuned.model, problem, tuned.rows, verdict.metrics, tuned.scorer, test)
    check_parity(graph, tuned.model, test.X, tuned.scorer)
    tags = {**tuned.tags, **publish.metric_tags(verdict.metrics)}
    with mlflow.start_run(run_id=tuned.run_id):
        if tuned.scorer:
            tags |= tuned.scorer.tags
            mlflow.log_metrics(tuned.scorer.metrics)
        return publish.register(problem, tuned.model, graph, tags)


def _concatenate(first: Table, second: Table) -> Table:
    return Table(np.concatenate([first.X, second.X]), np.concatenate([first.y, second.y]))


def _data_tags(settings: Settings, added: Path) -> dict[str, str]:
    return {
        "train_md5": md5(settings.data_dir / "train.csv"),
        "corrections_md5": md5(added),
    }
