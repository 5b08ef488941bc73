"""The versions of a model in the registry: the one that serves, those that were taken back, and the next one."""

from datetime import UTC, datetime

import mlflow

from common.bundle.model import ModelError
from common.problem import Problem
from common.registry import publish
from common.registry.client import CHALLENGER, CHAMPION, VERDICT, Version
from common.settings import Settings
from common.store import Store
from common.store.judgements import JudgementRecord
from finetune.append import remove_refused
from finetune.gate import Checked
from finetune.train import CORRECTIONS, LATER, Files, FineTuned, NothingToContinueError, data_tags, tag_of

# Tags of a fine-tuned version: its judgement in the store, the aliases that it gets, and the champion before it.
JUDGEMENT, SERVES_AS, COMPARED_WITH = "judgement", "serves_as", "compared_with"


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


def quarantine_taken_back(problem: Problem, settings: Settings, store: Store, serving: Version) -> None:
    """Quarantine the corrections of versions that somebody took back, and remove their rows from finetune.csv.

    A rollback or a deletion takes a version back. Without the quarantine the next version would learn the same rows.
    A challenger, which has not served yet, is not taken back. Corrections that are older than the registered model's
    name stay: another registry numbered their versions.
    """
    since = publish.created_at(problem.onnx_name)
    learnt = store.suggestions.taken_back(problem.name, serving.number, since)
    for number in sorted({each.trained_version for each in learnt if each.trained_version}):
        version = publish.version(problem.onnx_name, number)
        on_trial = version and version.tags.get(SERVES_AS) == CHALLENGER
        if version and on_trial and not was_taken_back(problem, store, serving, version):
            continue
        reason = f"version {number} had learnt it, and was taken back"
        store.suggestions.quarantine([each.id for each in learnt if each.trained_version == number], reason)
    remove_refused(store, problem, settings.corrections)


def version_of_same_data(problem: Problem, settings: Settings, files: Files) -> Version | None:
    """Return the ONNX version that has learnt from exactly the present data; None if there is none.

    There is one if an earlier attempt ended after it had registered the version and before it had noted that. A version
    older than the champion does not count: the champion was trained later, and has not learnt the corrections.
    """
    publish.use_mlflow(settings.mlflow_uri, problem.sklearn_name)
    wanted = data_tags(settings, files)
    found = publish.newest(problem.onnx_name, wanted)
    if found is None or any(tag_of(kind) in found.tags for kind in (LATER, CORRECTIONS) if kind not in files):
        return None
    champion = publish.champion(problem.onnx_name)
    return None if champion and found.number < champion.number else found


def register(
    problem: Problem, settings: Settings, serving: Version, fine_tuned: FineTuned, checked: Checked
) -> Version:
    """Register both flavours of the better candidate as the next version, with its verdict, still without an alias."""
    if checked.tested is None:
        raise ModelError(f"there is nothing to register: {checked.because}")
    tags = {**fine_tuned.tags, **publish.as_tags(checked.tested.results)}
    tags |= {VERDICT: checked.verdict, "candidate": checked.name, JUDGEMENT: fine_tuned.run_id}
    tags |= {SERVES_AS: ",".join(checked.aliases), COMPARED_WITH: str(serving.number)}
    # Without the alias the newest version serves, and this one may have to wait.
    publish.pin_champion(serving)
    with mlflow.start_run(run_id=fine_tuned.run_id):
        if fine_tuned.scorer:
            mlflow.log_metrics(fine_tuned.scorer.metrics)
        return publish.register(problem, settings, fine_tuned.models[checked.name], checked.tested.graph, tags)


def put_into_service(problem: Problem, settings: Settings, version: Version) -> None:
    """Move the aliases that a registered version gets; a second call changes nothing.

    Behind a new champion, the old one goes on answering as challenger, so that ground truths can compare them.
    """
    aliases = version.tags.get(SERVES_AS, CHAMPION).split(",")
    publish.move_aliases(problem, version, *aliases)
    before = publish.version(problem.onnx_name, int(version.tags.get(COMPARED_WITH, version.number)))
    shadows = CHAMPION in aliases and settings.gate == "evidence"
    if shadows and before and before.number != version.number and "sklearn_version" in before.tags:
        publish.move_aliases(problem, before, CHALLENGER)


def was_taken_back(problem: Problem, store: Store, serving: Version, version: Version) -> bool:
    """Return whether a version has been champion, and somebody took it back since.

    Periods that are older than the registered model's name do not count: another registry numbered their versions.
    """
    since = publish.created_at(problem.onnx_name)
    periods = [each for each in store.champions.history(problem.onnx_name) if each.since > since]
    return version.number != serving.number and any(each.model_version == version.number for each in periods)


def record(
    problem: Problem, fine_tuned: FineTuned, checked: Checked, flow_run_id: str | None = None
) -> JudgementRecord:
    """Return the judgement for the store; its id is that of the MLflow run, so that each leads to the other."""
    return JudgementRecord(
        fine_tuned.run_id, problem.name, datetime.now(UTC), checked.verdict, None, checked.name,
        {**checked.details, "because": checked.because}, flow_run_id=flow_run_id,
    )  # fmt: skip


def note_learnt(store: Store, version: Version, batch: list[str]) -> None:
    """Write that a version has learnt a batch of corrections, and its judgement; a second call changes nothing."""
    judgement = version.tags.get(JUDGEMENT)
    if judgement:
        store.judgements.registered(judgement, version.number)
    store.suggestions.trained(batch, version.number, judgement)
