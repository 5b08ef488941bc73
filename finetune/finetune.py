"""The fine-tuning worker: the Prefect flow `finetune/finetune`, and the process that serves it.

`python finetune/finetune.py` runs it. Here is the order of the steps; what they do is in append, train and gate.
"""

import asyncio
import inspect
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:
    # Run as a script, Python would look for modules beside this file, where `finetune` is this file, not the package.
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
from finetune.serve import ENTRYPOINT, serve, try_again_later

if TYPE_CHECKING:
    from common.registry.client import Version
    from finetune.train import Files, Judged, Tuned

# The tasks that need MLflow and scikit-learn import them: that takes seconds, and four runs of five do without.


@task(name="append-corrections", cache_policy=NO_CACHE)
def append_corrections(problem: Problem, settings: Settings, store: Store, suggestion: Suggestion) -> None:
    """Write the correction, and all others that have come, to finetune.csv."""
    append.append_corrections(store, problem, suggestion, settings.corrections)


@task(name="fine-tune", cache_policy=NO_CACHE)
def fine_tune(problem: Problem, settings: Settings, serving: "Version", files: "Files") -> "Tuned":
    """Let the model that training made learn all corrections."""
    from finetune.train import start_over

    return start_over(problem, settings, serving, files)


@task(name="check-accuracy", cache_policy=NO_CACHE)
def check_accuracy(problem: Problem, settings: Settings, tuned: "Tuned") -> "Judged":
    """Judge the fine-tuned model on the test rows, as it would serve."""
    from finetune.train import check_accuracy

    return check_accuracy(problem, settings, tuned)


@task(name="register-version", cache_policy=NO_CACHE)
def register_version(problem: Problem, tuned: "Tuned", judged: "Judged") -> int:
    """Register the fine-tuned model as the next version and move the champion."""
    from finetune.train import register

    return register(problem, tuned, judged).number


def learn(problem: Problem, settings: Settings, store: Store, suggestion: Suggestion) -> State[Any]:
    """Take a correction in, and all others that have come; fine-tune if enough wait. Returns the run's final state."""
    # Runs are one at a time in one worker; the lock says so to a second worker, or to a run by hand.
    with FileLock(settings.data_dir / "finetune.lock"):
        refused: State[Any] | None = None
        try:
            append_corrections(problem, settings, store, suggestion)
        except append.BadCorrectionError as error:
            refused = Failed(name="Refused", message=str(error))
        waiting = len(store.suggestions.waiting(problem.name))
        if waiting >= TRAIN_AT:
            learnt = _train(problem, settings, store)
        else:
            learnt = Completed(name="Waiting", message=f"waiting ({waiting} of {TRAIN_AT})")
        return refused or learnt


def _train(problem: Problem, settings: Settings, store: Store) -> State[Any]:
    # MLflow's own retries would keep the worker busy for minutes; a failed run is tried again later.
    check_mlflow(settings.mlflow_uri)
    from common.registry.publish import move_alias
    from finetune.train import added_files, drop_taken_back, serving_version, version_of_same_data

    serving = serving_version(problem, settings)
    drop_taken_back(problem, settings, store, serving)
    batch = [waiting.id for waiting in store.suggestions.waiting(problem.name)]
    files = added_files(settings, serving)
    known = version_of_same_data(problem, settings, files)
    if known and not store.suggestions.has_learnt(problem.name, known.number):
        # An earlier run ended between registering and saying so, with perhaps one alias moved, or none.
        move_alias(problem, known)
        version = known.number
    else:
        tuned = fine_tune(problem, settings, serving, files)
        judged = check_accuracy(problem, settings, tuned)
        if reason := judged.verdict.refused_because:
            store.suggestions.refused(batch, reason)
            append.remove_refused(store, problem, settings.corrections)
            return Completed(name="Refused", message=f"refused: {reason}")
        version = register_version(problem, tuned, judged)
    store.suggestions.trained(batch, version)
    return Completed(message=f"trained in version {version}")


def finetune_flow(problem: Problem, settings: Settings) -> Flow[Any, Any]:
    """Return the flow, whose parameters are `problem`'s features, by slug, `class_name` and `suggestion_id`."""

    def finetune(**parameters: Any) -> State[Any]:
        store = Store(settings.database_url)
        features = {name: parameters[slug] for name, slug in zip(problem.columns, problem.slugs, strict=True)}
        told = parameters["suggestion_id"], problem.name, features, parameters["class_name"]
        suggestion = Suggestion(*told, flow_run_id=flow_run.id)
        try:
            return learn(problem, settings, store, suggestion)
        finally:
            store.close()

    kinds = [float if feature.kind == "number" else str for feature in problem.features]
    types = {**dict(zip(problem.slugs, kinds, strict=True)), "class_name": str, "suggestion_id": str}
    keyword = inspect.Parameter.KEYWORD_ONLY
    finetune.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # what Prefect shows and checks
        [inspect.Parameter(name, keyword, annotation=kind) for name, kind in types.items()]
    )
    finetune.__annotations__ = types
    return flow(name="finetune", on_failure=[try_again_later], on_crashed=[try_again_later])(finetune)


def __getattr__(name: str) -> Flow[Any, Any]:
    # Prefect loads `finetune` from this module for each run. It is made when asked for, since its parameters are
    # those of the chosen problem, and no setting is read at import.
    if name != "finetune":
        raise AttributeError(name)
    settings = load_settings()
    return finetune_flow(get_problem(settings.problem), settings)


def main() -> None:
    """Serve the flow until a signal comes."""
    # Prefect starts every run in the worker's folder, and finds the flow's module from there.
    os.chdir(PROJECT)
    settings = load_settings()
    flow_to_serve = finetune_flow(get_problem(settings.problem), settings)
    with temporary_settings({PREFECT_API_URL: settings.prefect_api_url}):
        asyncio.run(serve(flow_to_serve, ENTRYPOINT, settings))


if __name__ == "__main__":
    main()
