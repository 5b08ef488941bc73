"""The Prefect flow `finetune/finetune`, and the worker process that serves it: `python finetune/finetune.py`.

This file has the order of the steps. The steps themselves are plain functions in `append`, `train`, `evidence`, `gate`
and `versions`.
"""

import asyncio
import inspect
import os
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

if not __package__:
    # As a script, Python would look for modules beside this file, where `finetune` is this file, not the package.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from filelock import FileLock
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.flows import Flow
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Failed

from common.problem import Problem, get_problem
from common.registry.client import check_mlflow
from common.settings import PROJECT, Settings, load_settings
from common.store import Store
from common.store.suggestions import TRAIN_AT, Suggestion
from finetune import append
from finetune.form import description  # room: form
from finetune.serve import serve, try_again_later
from trust.vetting.vetter import vetter  # room: trust

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def step(name: str, function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return a function as a Prefect task, so that the page of a flow run shows its step under this name."""
    return task(name=name, cache_policy=NO_CACHE)(function)


def learn(problem: Problem, settings: Settings, store: Store, suggestion: Suggestion) -> State[Any]:
    """Write a correction to finetune.csv with all others that have come; fine-tune if enough of them wait.

    Returns:
        The final state of the flow run; its message is shown in Prefect.
    """
    # One worker runs one flow run at a time. The lock is for a second worker and for a run started by hand.
    with FileLock(settings.data_dir / "finetune.lock"):
        if store.trust.withdrawals.open(problem.name, 1):  # room: trust
            from trust.withdrawal.rebuild import end_withdrawals  # room: trust

            end_withdrawals(problem, settings, store, step)  # room: trust
        refused: State[Any] | None = None
        try:
            append_to_file = step("append-corrections", append.append_corrections)
            vet: append.Vet = list
            vet = vetter(problem, settings, store)  # room: trust
            append_to_file(store, problem, suggestion, settings.corrections, vet)
        except append.BadCorrectionError as error:
            refused = Failed(name="Refused", message=str(error))
        waiting = len(store.suggestions.unjudged(problem.name))
        if waiting >= TRAIN_AT:
            learnt = _train(problem, settings, store)
        else:
            learnt = Completed(name="Waiting", message=f"waiting ({waiting} of {TRAIN_AT})")
        return refused or learnt


def _train(problem: Problem, settings: Settings, store: Store) -> State[Any]:
    # MLflow's own retries would keep the worker busy for minutes; Prefect starts a failed run again later.
    check_mlflow(settings.mlflow_uri)
    # Imported late: MLflow and scikit-learn take seconds, and four flow runs of five do not train.
    from finetune import (
        evidence,
        gate,
        picture,  # room: verdict_picture
        train,
        versions,
    )

    serving = versions.serving_version(problem, settings)
    versions.quarantine_taken_back(problem, settings, store, serving)
    waiting = store.suggestions.waiting(problem.name)
    batch = [each.id for each in waiting]
    files = train.added_files(settings, serving)
    version = versions.version_of_same_data(problem, settings, files)
    if version and store.trust.events.were_trained(batch, version.number):  # room: trust
        version = None  # room: trust
    # A version that no correction names is of an earlier run, which ended after it had registered the version.
    if version is None or store.suggestions.has_learnt(problem.name, version.number):
        fine_tuned = step("fine-tune", train.fine_tune)(problem, settings, serving, files)
        exam = None
        if settings.gate == "evidence":
            exam = step("collect-evidence", evidence.set_exam)(problem, settings, store, serving, waiting)
        log_more: gate.LogMore | None = None
        log_more = picture.log_picture  # room: verdict_picture
        checked = step("judge", gate.check)(problem, settings, fine_tuned, exam, log_more)
        judgement = versions.record(problem, fine_tuned, checked, flow_run.id)
        store.judgements.add(judgement)
        if not checked.aliases:
            new = [each.id for each in waiting if each.judgement_id is None]
            older = [each.id for each in waiting if each.judgement_id is not None]
            if checked.verdict == gate.REFUSED and older and new:
                # Either may be to blame. The older ones had no effect before, so the new ones are tried without them.
                store.suggestions.quarantine(older, f"refused together with {len(new)} others: {checked.because}")
                append.remove_refused(store, problem, settings.corrections)
                return _train(problem, settings, store)
            # The new ones come last: as long as they wait, an attempt that ended too early is made again.
            store.suggestions.judged(older, judgement.id)
            if checked.verdict == gate.REFUSED:
                store.suggestions.refused(new, checked.because, judgement.id)
                append.remove_refused(store, problem, settings.corrections)
            else:
                store.suggestions.judged(new, judgement.id)
            return Completed(name=checked.verdict.capitalize(), message=f"{checked.verdict}: {checked.because}")
        version = step("register-version", versions.register)(problem, settings, serving, fine_tuned, checked)
    store.trust.versions.learnt(problem.name, version.number)  # room: trust
    if versions.was_taken_back(problem, store, serving, version):
        # An earlier run ended before it had noted the corrections, and so they escaped the quarantine.
        versions.note_learnt(store, version, batch)
        versions.quarantine_taken_back(problem, settings, store, serving)
        return Completed(message=f"version {version.number} had learnt them, and was taken back")
    versions.put_into_service(problem, settings, version)
    versions.note_learnt(store, version, batch)
    return Completed(message=f"trained in version {version.number}")


def finetune_flow(settings: Settings) -> Flow[Any, Any]:
    """Return the flow. Its parameters are the slugs of the problem's features, `class_name` and `suggestion_id`.

    Without `suggestion_id`, as in a run that a person starts in Prefect, the correction has the id of the flow run.
    """
    problem = get_problem(settings.problem)

    def finetune(**parameters: Any) -> State[Any]:
        store = Store(settings.database_url)
        features = {name: parameters[slug] for name, slug in zip(problem.columns, problem.slugs, strict=True)}
        suggestion_id, class_name = parameters["suggestion_id"] or flow_run.id, parameters["class_name"]
        suggestion = Suggestion(suggestion_id, problem.name, features, class_name, flow_run_id=flow_run.id)
        with closing(store):
            return learn(problem, settings, store, suggestion)

    kinds = [float if feature.kind == "number" else str for feature in problem.features]
    types = {**dict(zip(problem.slugs, kinds, strict=True)), "class_name": str, "suggestion_id": str}
    keyword = inspect.Parameter.KEYWORD_ONLY
    shown = {name: inspect.Parameter(name, keyword, annotation=kind) for name, kind in types.items()}
    shown["suggestion_id"] = shown["suggestion_id"].replace(default="")
    finetune.__signature__ = inspect.Signature([*shown.values()])  # type: ignore[attr-defined]  # Prefect checks it
    finetune.__annotations__ = types
    finetune.__doc__ = description(problem)  # room: form
    return flow(name="finetune", on_failure=[try_again_later], on_crashed=[try_again_later])(finetune)


def __getattr__(name: str) -> Flow[Any, Any]:
    # Prefect loads `finetune` from this module for each run. It is made here, on demand, because its parameters depend
    # on the setting PROBLEM, and importing a module must not read settings.
    if name != "finetune":
        raise AttributeError(name)
    return finetune_flow(load_settings())


def main() -> None:
    """Serve the flow until a signal ends the process."""
    # Prefect starts each flow run in the worker's folder, and imports the flow's module from there.
    os.chdir(PROJECT)
    settings = load_settings()
    with temporary_settings({PREFECT_API_URL: settings.prefect_api_url}):
        asyncio.run(serve(finetune_flow(settings), settings))


if __name__ == "__main__":
    main()
