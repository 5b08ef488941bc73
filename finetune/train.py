"""From corrections to a registered version, step by step, in plain functions that know nothing of Prefect.

Each version starts from the model of the last training and learns all rows added since. So the result depends on the
added rows alone, not on their order and not on the versions in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np

from common.bundle.outliers import OutlierScorer, outlier_scorer_for
from common.files import md5
from common.problem import Classifier, Problem, Table, epochs_run
from common.registry import publish
from common.registry.client import Version
from common.settings import Settings
from common.split import split
from common.table import read_table
from finetune.candidates import candidates

LATER, CORRECTIONS = "later", "corrections"  # kinds of rows that a version learns beside those of train.csv
Files = Mapping[str, Path]


class NothingToContinueError(LookupError):
    """The registry has no scikit-learn model to start from; the message says what to do."""


@dataclass(frozen=True)
class FineTuned:
    """The candidates of a fine-tuning.

    Attributes:
        models: the fitted scikit-learn models by the way in which they learnt, the simpler one first.
        rows: all rows that they have learnt from; the corrections are the last.
        scorer: the outlier scorer, fitted without the corrections; None for a problem without numbers.
        tags: their origin: the version that they started from, and the hashes of their data.
        run_id: their run in MLflow.
    """

    models: Mapping[str, Classifier]
    rows: Table
    scorer: OutlierScorer | None
    tags: Mapping[str, str]
    run_id: str


def added_files(settings: Settings, serving: Version) -> Files:
    """Return the files whose rows the next version learns beside train.csv, by the kind of the rows.

    These are the corrections, and later.csv if the serving version has learnt it.
    """
    later = {LATER: settings.data_dir / "later.csv"} if tag_of(LATER) in serving.tags else {}
    return {**later, CORRECTIONS: settings.corrections}


def fine_tune(problem: Problem, settings: Settings, serving: Version, files: Files) -> FineTuned:
    """Let a model learn all added rows in each way that the problem offers, in an MLflow run.

    Args:
        problem: has the ways to learn.
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
    models = candidates(problem, publish.load_sklearn(problem, settings, base), original, learnt)
    # The parameters that the search has found still hold: the model learns more rows, and stays the same otherwise.
    names = {name for candidate in problem.candidates() for name in candidate.params}
    params = {name: base.tags[name] for name in sorted(names) if name in base.tags}
    counts = {kind: len(table.y) for kind, table in added.items()}
    with mlflow.start_run(run_name=f"fine-tune version {base.number}") as run:
        mlflow.log_params({**params, "continued_from": base.number, CORRECTIONS: 0, **counts})
        # The run's page shows the metrics before fine-tuning as step 0 and those after it as step 1.
        tested = {name: float(value) for name, value in serving.tags.items() if name.startswith("test_")}
        mlflow.log_metrics(tested, step=0)
        epochs = {f"{name}_epochs_run": epochs_run(model) for name, model in models.items()}
        mlflow.log_metrics({name: number for name, number in epochs.items() if number is not None})
    fitting, validation = split(original)
    # The scorer does not learn corrections: an outlier that people have corrected a few times stays an outlier.
    known = _concatenate(fitting, added[LATER]) if LATER in added else fitting
    scorer = outlier_scorer_for(problem, known, validation)
    tags = {**params, **data_tags(settings, files), "continued_from": str(base.number)}
    return FineTuned(models, _concatenate(original, learnt), scorer, tags, run.info.run_id)


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


def data_tags(settings: Settings, files: Files) -> dict[str, str]:
    """Return the hashes of train.csv and of the added files, as tags of a version."""
    added = {tag_of(kind): md5(path) for kind, path in files.items()}
    return {"train_md5": md5(settings.data_dir / "train.csv")} | added


def tag_of(kind: str) -> str:
    """Return the name of the tag that holds the hash of a kind of rows."""
    return f"{kind}_md5"
