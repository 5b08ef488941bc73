"""From corrections to a registered version, step by step. Plain functions, which know nothing of Prefect.

Each version starts from the one that training made, and learns all rows that have been added since: the result depends
on which rows these are, and not on the order in which they came or on the versions between.
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
from finetune.gate import Verdict, judge

LATER, CORRECTIONS = "later", "corrections"  # the kinds of rows that are added to those of train.csv
Files = Mapping[str, Path]


class NothingToContinueError(LookupError):
    """The registry has no scikit-learn model to start from; the message says what to do."""


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned model.

    Attributes:
        rows: what it has learnt from, corrections last.
        scorer: of outliers, fitted without the corrections; None where there are no numbers to tell them by.
        tags: where it comes from: the version that it started from, and the hashes of its data.
        run_id: its run in MLflow.
    """

    model: Classifier
    rows: Table
    scorer: OutlierScorer | None
    tags: Mapping[str, str]
    run_id: str


@dataclass(frozen=True)
class Judged:
    """The gate's verdict on a fine-tuned model, and the bundle that was judged; None if it could not be exported."""

    verdict: Verdict
    tested: Tested | None


def serving_version(problem: Problem, settings: Settings) -> Version:
    """Return the ONNX version that serves.

    Raises:
        NothingToContinueError: there is none yet.
    """
    publish.use_mlflow(settings.mlflow_uri, problem.sklearn_name)
    serving = publish.champion(problem.onnx_name)
    if serving is None:
        raise NothingToContinueError(f"there is no {problem.onnx_name} to continue: run `python main.py` first")
    return serving


def added_files(settings: Settings, serving: Version, *, learn_later: bool = False) -> Files:
    """Return the files whose rows the next version learns beside train.csv, by the kind of the rows.

    These are the corrections, and later.csv if the serving version has learnt it, or is to be followed by one that has.
    """
    files = {}
    if learn_later or _tag(LATER) in serving.tags:
        files[LATER] = settings.data_dir / "later.csv"
    corrections = settings.corrections
    if not learn_later or (corrections.exists() and corrections.read_bytes().strip()):
        files[CORRECTIONS] = corrections
    return files


def drop_taken_back(problem: Problem, settings: Settings, store: Store, serving: Version) -> None:
    """Refuse the corrections of versions that somebody has taken back, and take their rows out of finetune.csv.

    These versions are newer than the one that serves: it was promoted over them, or they were deleted. Otherwise the
    next version would learn again what the rollback was for. Corrections from before the model's name was registered
    are left alone: their versions were numbered by another registry.
    """
    since = publish.created_at(problem.onnx_name)
    for taken in store.suggestions.taken_back(problem.name, serving.number, since):
        store.suggestions.refused([taken.id], f"version {taken.trained_version} had learnt it, and was taken back")
    remove_refused(store, problem, settings.corrections)


def version_of_same_data(problem: Problem, settings: Settings, files: Files) -> Version | None:
    """Return the ONNX version that has learnt from exactly the data as they are now; None if there is none.

    There is one when an earlier attempt ended after registering and before it could say so. One that a newer champion
    has overtaken does not count: that champion has learnt less.
    """
    publish.use_mlflow(settings.mlflow_uri, problem.sklearn_name)
    wanted = _data_tags(settings, files)
    found = publish.newest(problem.onnx_name, wanted)
    if found is None or any(_tag(kind) in found.tags for kind in (LATER, CORRECTIONS) if kind not in files):
        return None
    champion = publish.champion(problem.onnx_name)
    return None if champion and found.number < champion.number else found


def start_over(problem: Problem, settings: Settings, serving: Version, files: Files) -> Tuned:
    """Let the model that training made learn all added rows, in an MLflow run of its own.

    Args:
        problem: says how.
        settings: say where MLflow and train.csv are.
        serving: the ONNX version that serves; its scikit-learn twin says which version training made.
        files: the rows to learn, as `added_files` returns them.

    Raises:
        NothingToContinueError: the registry has no such version any more.
        DataError: a file is missing or damaged.
    """
    publish.use_mlflow(settings.mlflow_uri, problem.sklearn_name)
    base = _trained_by_training(problem, serving)
    original = read_table(settings.data_dir / "train.csv", problem, indices=True)
    added = {kind: read_table(path, problem, indices=True) for kind, path in files.items()}
    if CORRECTIONS in added:
        added[CORRECTIONS] = _sorted(added[CORRECTIONS])
    learnt = _concatenate(*added.values())
    model = problem.continue_training(publish.load_sklearn(base), original, learnt)
    # What was searched for holds on: the version learns more, it is not built anew.
    names = {name for candidate in problem.candidates() for name in candidate.params}
    params = {name: base.tags[name] for name in sorted(names) if name in base.tags}
    counts = {kind: len(table.y) for kind, table in added.items()}
    with mlflow.start_run(run_name=f"fine-tune version {base.number}") as run:
        mlflow.log_params({**params, "continued_from": base.number, CORRECTIONS: 0, **counts})
        # So that the run itself shows what came of it: step 0 is before, step 1 after.
        tested = {name: float(value) for name, value in serving.tags.items() if name.startswith("test_")}
        mlflow.log_metrics(tested, step=0)
        if (epochs := epochs_run(model)) is not None:
            mlflow.log_metric("epochs_run", epochs)
    fitting, validation = split(original)
    # Corrections are left out: an outlier must still be one after somebody has corrected it a few times.
    known = _concatenate(fitting, added[LATER]) if LATER in added else fitting
    scorer = outlier_scorer_for(problem, known, validation)
    tags = {**params, **_data_tags(settings, files), "continued_from": str(base.number)}
    return Tuned(model, _concatenate(original, learnt), scorer, tags, run.info.run_id)


def check_accuracy(problem: Problem, settings: Settings, tuned: Tuned) -> Judged:
    """Export the model, judge the export on test.csv, and log the results, with the reason if refused, to its run."""
    test = read_table(settings.data_dir / "test.csv", problem, indices=True)
    try:
        tested = export_tested(tuned.model, problem, tuned.rows, test, tuned.scorer)
        judged = Judged(judge(problem, tested.matrix), tested)
    except ModelError as error:
        judged = Judged(Verdict({}, f"the exported model cannot be served: {error}"), None)
    verdict = judged.verdict
    with mlflow.start_run(run_id=tuned.run_id):
        mlflow.log_metrics({f"test_{name}": value for name, value in verdict.metrics.items()}, step=1)
        if verdict.refused_because:
            mlflow.set_tag("refused_because", verdict.refused_because)
    return judged


def register(problem: Problem, tuned: Tuned, judged: Judged) -> Version:
    """Register both flavours of a model that the gate has let through as the next version, and make it champion."""
    if judged.tested is None:
        raise ModelError(f"there is nothing to register: {judged.verdict.refused_because}")
    tags = {**tuned.tags, **publish.metric_tags(judged.verdict.metrics)}
    with mlflow.start_run(run_id=tuned.run_id):
        if tuned.scorer:
            tags |= tuned.scorer.tags
            mlflow.log_metrics(tuned.scorer.metrics)
        return publish.register(problem, tuned.model, judged.tested.graph, tags)


def _trained_by_training(problem: Problem, serving: Version) -> Version:
    """Return the scikit-learn version that training made, from which the serving version descends."""
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
    """Return the rows in an order of their own, so that it makes no difference in which they came."""
    keys = list(zip(table.X.tolist(), table.y.tolist(), strict=True))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return Table(table.X[order], table.y[order])


def _concatenate(*tables: Table) -> Table:
    return Table(np.concatenate([table.X for table in tables]), np.concatenate([table.y for table in tables]))


def _tag(kind: str) -> str:
    return f"{kind}_md5"


def _data_tags(settings: Settings, files: Files) -> dict[str, str]:
    return {"train_md5": md5(settings.data_dir / "train.csv")} | {_tag(kind): md5(path) for kind, path in files.items()}
