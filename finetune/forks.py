"""Start flow runs as forks of one process that has imported everything, because imports take longer than a training."""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Callable, Mapping
from multiprocessing import forkserver
from typing import Any

import anyio
from anyio.abc import TaskStatus
from prefect.runner import _starter_engine
from prefect.settings import PREFECT_API_URL, temporary_settings

# Not the modules of problems/: a run imports its problem anew, so that a changed file counts from the next run on.
IMPORTED = [
    "prefect.flow_engine",
    "prefect.task_engine",
    "finetune.finetune",
    "finetune.versions",
    "finetune.picture",
    "mlflow.pyfunc",
    "git",
]


def fork_flow_runs() -> None:
    """Let this process's runners of Prefect fork flow runs, where a process with imported libraries may be forked."""
    if sys.platform != "linux":
        return  # macOS's own libraries may not survive a fork, so Prefect starts flow runs there in its own way
    multiprocessing.set_forkserver_preload(IMPORTED)
    forkserver.ensure_running()
    # Prefect's runner starts the process of a flow run with this function, and has no setting for another one.
    vars(_starter_engine)["run_process"] = _run_in_fork


async def _run_in_fork(
    command: list[str],  # noqa: ARG001  # `python -m prefect.engine`, which the fork runs without a new Python
    *,
    env: Mapping[str, str],
    task_status: TaskStatus[Any],
    task_status_handler: Callable[[Any], Any],
    **options: Any,  # noqa: ARG001  # of the output, which is the worker's own here, and of the folder, as well
) -> None:
    """Do as Prefect's `run_process` does: start a process, hand it on, and return at its end."""
    process = multiprocessing.get_context("forkserver").Process(target=_run, args=(dict(env),))
    # The first fork waits until the server has imported everything.
    await anyio.to_thread.run_sync(process.start)
    try:
        task_status.started(task_status_handler(process))
        await anyio.wait_readable(process.sentinel)
    finally:
        if process.is_alive():  # the worker ends, and ends the flow run
            process.kill()
        process.join()


def _run(environment: dict[str, str]) -> None:
    """Run the flow run that the environment names, as a new process with this environment would."""
    os.environ.clear()
    os.environ.update(environment)
    sys.modules.pop("prefect.engine", None)  # Prefect runs this module as the main one
    with temporary_settings({PREFECT_API_URL: environment["PREFECT_API_URL"]}):
        runpy.run_module("prefect.engine", run_name="__main__")
