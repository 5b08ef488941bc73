"""From corrections to a registered version, step by step, in plain functions that know nothing of Prefect.

Each version starts from the model of the last training and learns all rows added since. So the result depends on the
added rows alone, not on their order and not on the versions in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np

from common.bundle.export import Tested, export_tested
from common.bundle.model import ModelError
from common.bundle.outliers import OutlierScorer, outlier_scorer_for
from common.files import md5
from common.problem import Classifier, Problem, Table, epochs_run
from common.registry import publish
from common.registry.client import Version
from common.settings import Settings
from common.split import split
from common.store import Store
from common.table import read_table
from finetune.append import remove_refused
from finetune.gate import refusal

LATER, CORRECTIONS = "later", "corrections"  # kinds of rows that a version learns beside those of train.csv
Files = Mapping[str, Path]


class NothingToContinueError(LookupError):
    """The registry has no scikit-learn model to start from; the message says what to do."""


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned model.

    Attributes:
        model: the fitted scikit-learn model.
        rows: all rows that it has learnt from; the corrections are the last.
        scorer: the outlier scorer, fitted without the corrections; None for a problem without numbers.
        tags: its origin: the version that it started from, and the hashes of its data.
        run_id: its run in MLflow.
    """

    model: Classifier
    rows: Table
    scorer: OutlierScorer | None
    tags: Mapping[str, str]
    run_id: str


@dataclass(frozen=True)
class Checked:
    """A fine-tuned model after the gate.

    Attributes:
        tested: its bundle, with its results on the test rows; None if the model could not be exported.
        refused_because: the reason if the gate refuses it.
    """

    tested: Tested | None
    refused_because: str | None


def serving_version(problem: Problem, settings: Settings) -> Version:
    """Return the ONNX version that serves.

    Raises:
        NothingToContinueError: no version is registered yet.
    """
    publish.use_mlflow(settings.mlflow_uri, problem.sklearn_name)
    serving = publish.champion(problem.onnx_name)
    if serving is None:
        raise NothingToContinueError(f"there is no {problem.onnx_name} to continue: run `python main.py` first")
    return serving


def added_files(settings: Settings, serving: Version) -> Files:
    """Return the files whose rows the next version learns beside train.csv, by the kind of the rows.

    These are the corrections, and later.csv if the serving version has learnt it.
    """
    later = {LATER: settings.data_dir / "later.csv"} if _tag(LATER) in serving.tags else {}
    return {**later, CORRECTIONS: settings.corrections}


def drop_taken_back(problem: Problem, settings: Settings, store: Store, serving: Version) -> None:
    """Refuse the corrections that a version newer than the serving one has learnt; remove their rows from finetune.csv.

    Somebody has taken such a version back, by a rollback or by deleting it, and the next version would learn the same
    rows again. Corrections that are older than the registered model's name stay: another registry numbered their
    versions.
    """
    since = publish.created_at(problem.onnx_name)
    for correction in store.suggestions.taken_back(problem.name, serving.number, since):
        reason = f"version {correction.trained_version} had learnt it, and was taken back"
        store.suggestions.refused([correction.id], reason)
    remove_refused(store, problem, settings.corrections)


def version_of_same_data(problem: Problem, settings: Settings, files: Files) -> Version | None:
    """Return the ONNX version that has learnt from exactly the present data; None if there is none.

    There is one if an earlier attempt ended after it had registered the version and before it had noted that. A version
    older than the champion does not count: the champion was trained later, and has not learnt the corrections.
    """
    publish.use_mlflow(settings.mlflow_uri, problem.sklearn_name)
    wanted = _data_tags(settings, files)
    found = publish.newest(problem.onnx_name, wanted)
    if found is None or any(_tag(kind) in found.tags for kind in (LATER, CORRECTIONS) if kind not in files):
        return None
    champion = publish.champion(problem.onnx_name)
    return None if champion and found.number < champion.number else found


def fine_tune(problem: Problem, settings: Settings, serving: Version, files: Files) -> FineTuned:
    """Continue the model of the last training with all added rows, in an MLflow run of its own.

    Args:
        problem: has the method that continues a training.
        settings: have the address of MLflow and the folder of train.csv.
        serving: the ONNX version that serves; the tags of its scikit-learn twin lead to the version of the training.
        files: the rows to learn, as `added_files` returns them.

    Raises:
        NothingToContinueError: the registry has no such version any more.
        DataError: a file is missing or damaged.
    """
    publish.use_mlflow(settings.mlflow_uri, problem.sklearn_name)
    base = _base(problem, serving)
    original = read_table(settings.data_dir / "train.csv", problem, indices=True)
    added = {kind: read_table(path, problem, indices=True) for kind, path in files.items()}
    if CORRECTIONS in added:
        added[CORRECTIONS] = _sorted(added[CORRECTIONS])
    learnt = _concatenate(*added.values())
    model = problem.continue_training(publish.load_sklearn(base), original, learnt)
    # The parameters that the search has found still hold: the model learns more rows, and stays the same otherwise.
    names = {name for candidate in problem.candidates() for name in candidate.params}
    params = {name: base.tags[name] for name in sorted(names) if name in base.tags}
    counts = {kind: len(table.y) for kind, table in added.items()}
    with mlflow.start_run(run_name=f"fine-tune version {base.number}") as run:
        mlflow.log_params({**params, "continued_from": base.number, CORRECTIONS: 0, **counts})
        # The run's page shows the metrics before fine-tuning as step 0 and those after it as step 1.
        tested = {name: float(value) for name, value in serving.tags.items() if name.startswith("test_")}
        mlflow.log_metrics(tested, step=0)
        if (epochs := epochs_run(model)) is not None:
            mlflow.log_metric("epochs_run", epochs)
    fitting, validation = split(original)
    # The scorer does not learn corrections: an outlier that people have corrected a few times stays an outlier.
    known = _concatenate(fitting, added[LATER]) if LATER in added else fitting
    scorer = outlier_scorer_for(problem, known, validation)
    tags = {**params, **_data_tags(settings, files), "continued_from": str(base.number)}
    return FineTuned(model, _concatenate(original, learnt), scorer, tags, run.info.run_id)


def check_accuracy(problem: Problem, settings: Settings, fine_tuned: FineTuned) -> Checked:
    """Export the model, test the export on test.csv, and log its metrics, or why it is refused, to its MLflow run."""
    test = read_table(settings.data_dir / "test.csv", problem, indices=True)
    try:
        tested = export_tested(fine_tuned.model, problem, fine_tuned.rows, test, fine_tuned.scorer)
        checked = Checked(tested, refusal(problem, tested.metrics))
    except ModelError as error:
        checked = Checked(None, f"the exported model cannot be served: {error}")
    with mlflow.start_run(run_id=fine_tuned.run_id):
        if checked.tested:
            mlflow.log_metrics({f"test_{name}": value for name, value in checked.tested.metrics.items()}, step=1)
        if checked.refused_because:
            mlflow.set_tag("refused_because", checked.refused_because)
    return checked


def register(problem: Problem, fine_tuned: FineTuned, checked: Checked) -> Version:
    """Register both flavours of a model that has passed the gate as the next version, and make it champion."""
    if checked.tested is None:
        raise ModelError(f"there is nothing to register: {checked.refused_because}")
    tags = {**fine_tuned.tags, **publish.as_tags(checked.tested.results)}
    with mlflow.start_run(run_id=fine_tuned.run_id):
        if fine_tuned.scorer:
            mlflow.log_metrics(fine_tuned.scorer.metrics)
        return publish.register(problem, fine_tuned.model, checked.tested.graph, tags)


def _base(problem: Problem, serving: Version) -> Version:
    """Return the scikit-learn version of the training from which the serving version descends."""
    number = serving.tags.get("sklearn_version")
    if number is None:
        raise NothingToContinueError(
            f"{serving.name} version {serving.number} serves, and has no scikit-learn twin (tag sklearn_version): "
            "promote a version that has one, or run `python main.py`"
        )
    while True:
        found = publish.version(problem.sklearn_name, int(number))
        if found is None:
            raise NothingToContinueError(
                f"{problem.sklearn_name} version {number}, from which {serving.name} version {serving.number} "
                "descends, is not in MLflow any more: promote another version, or run `python main.py`"
            )
        if "continued_from" not in found.tags:
            return found
        number = found.tags["continued_from"]


def _sorted(table: Table) -> Table:
    """Sort the rows, because a fit depends on their order, and corrections come in any order."""
    keys = list(zip(table.X.tolist(), table.y.tolist(), strict=True))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return Table(table.X[order], table.y[order])


def _concatenate(*tables: Table) -> Table:
    return Table(np.concatenate([table.X for table in tables]), np.concatenate([table.y for table in tables]))


def _tag(kind: str) -> str:
    return f"{kind}_md5"


def _data_tags(settings: Settings, files: Files) -> dict[str, str]:
    return {"train_md5": md5(settings.data_dir / "train.csv")} | {_tag(kind): md5(path) for kind, path in files.items()}
