"""Fit candidates on a Dask cluster, after a check that its workers would compute the same as this process.

Only the functions here import Dask, so a search without a cluster does not need it.
"""

import asyncio
import hashlib
import logging
import pickle
import time
import warnings
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import cache, partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, cast

import cloudpickle

from common.problem import Candidate, Table
from common.settings import PROJECT
from training.fitting import FitAll, Fitted, WorkersError, fit_and_score

if TYPE_CHECKING:
    from distributed import Client, Future
    from distributed.client import VersionsDict

    Fit = Future[bytes]

CONNECT_SECONDS = 5.0
WORKER_SECONDS = 10.0  # wait so long for a worker, at the start and during the search
LOOK_SECONDS = 1.0
HELP = "fit on the Dask cluster whose scheduler is at tcp://HOST:PORT (default: on this machine)"
SPEAKING = ("python", "distributed")  # client, scheduler and workers need the same versions to understand each other
COMPUTING = ("numpy", "scipy", "scikit-learn", "lightgbm")  # workers need the same versions to compute the same


def fit_on(address: str) -> FitAll:
    """Connect to a Dask cluster; return a function that fits candidates on it, for one search.

    The function yields the fitted candidates in their order, each as soon as it and the ones before it are fitted. It
    raises `WorkersError` when the cluster is lost, or when a candidate cannot be sent to a worker.

    Raises:
        WorkersError: the cluster cannot be used; see `reach`.
    """
    return partial(_fit_all, reach(address))


def _fit_all(
    client: "Client", candidates: Sequence[Candidate], fitting: Table, validation: Table
) -> Generator[Fitted, None, None]:
    with client:
        futures = _submit(client, [_pickled(candidate) for candidate in candidates], fitting, validation)
        ended: SimpleQueue[Fit] = SimpleQueue()
        for future in futures:
            future.add_done_callback(ended.put)
        results: dict[Fit, Fitted] = {}
        try:
            for future in futures:
                while future not in results:
                    other = _next_ended(client, ended)
                    results[other] = _result(other)
                yield results.pop(future)
        finally:
            # Dask forgets the tasks that wait; a fit that has begun runs to its end, and nobody reads its result.
            client.cancel(futures)


def _pickled(candidate: Candidate) -> bytes:
    try:
        task: bytes = cloudpickle.dumps(partial(fit_and_score, candidate.fit))
    except Exception as error:  # noqa: BLE001  # an object that refuses to be pickled may raise anything
        raise WorkersError(
            f"candidate {candidate.params} cannot be sent to a worker ({_one_line(error)}): make what it needs inside "
            "its fit"
        ) from None
    return task


def _submit(client: "Client", tasks: Sequence[bytes], *tables: Table) -> "list[Fit]":
    """Send the tables once, then the tasks, as bytes: the scheduler unpickles tasks, and may not have the project."""
    import dask

    # Dask sends a nested function as code. One of this module it would send by name, for the scheduler to import.
    def run(task: bytes, *arguments: object) -> bytes:
        found: bytes = cloudpickle.dumps(pickle.loads(task)(*arguments))  # noqa: S301  # to run the task is its purpose
        return found

    # Dask repeats lost tasks, so a task unpickles each table: data that Dask scatters are lost with their workers.
    # The scheduler has to keep the bytes for that, and would warn that they are many.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
        sent = [client.submit(pickle.loads, pickle.dumps(table), pure=False) for table in tables]
    return [client.submit(run, task, *sent, pure=False) for task in tasks]


def _next_ended(client: "Client", ended: "SimpleQueue[Fit]") -> "Fit":
    """Wait for the next task that ends; give up when the last worker is gone, for which Dask would wait for ever."""
    seen = time.monotonic()
    while True:
        with suppress(Empty):
            return ended.get(timeout=LOOK_SECONDS)
        try:
            if client.nthreads():
                seen = time.monotonic()
        except (OSError, RuntimeError) as error:
            raise _lost(error) from None
        if time.monotonic() - seen > WORKER_SECONDS:
            raise _lost("no worker is left")


def _result(future: "Fit") -> Fitted:
    """Return the result of a task that has ended, or raise what its fit has raised."""
    from distributed import KilledWorker

    try:
        found: Fitted = pickle.loads(future.result())  # noqa: S301  # our own worker has pickled it
    except KilledWorker:
        raise WorkersError(
            "one Dask worker after the other died of the same candidate: their output may say why (too little memory?)"
        ) from None
    except CancelledError as error:
        raise _lost(error) from None
    return found


def _lost(reason: object) -> WorkersError:
    return WorkersError(f"the Dask cluster is lost ({_one_line(reason)}): start it again, then train again")


def reach(address: str) -> "Client":
    """Return a client of the Dask cluster whose scheduler listens at `address`, such as `tcp://127.0.0.1:8786`.

    Raises:
        WorkersError: Dask is not installed; no scheduler listens there; it has no worker; or a worker has other
            versions of packages, or of the project, so that it would not compute the same.
    """
    try:
        from distributed import Client
        from distributed.versions import VersionMismatchWarning
    except ModuleNotFoundError:
        raise WorkersError(
            "Dask is not installed here: `make install` brings everything, `pip install distributed` Dask alone"
        ) from None
    # `Client` waits for ever for an answer of a server that is no scheduler.
    asyncio.run(_knock(address))
    # `WorkersError` has the reason in one line; Dask would log tables and stack traces beside it.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VersionMismatchWarning)
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    try:
        _check_workers(client, address)
        _check_versions(client)
        _check_code(client)
    except BaseException:
        client.close()
        raise
    return client


async def _knock(address: str) -> None:
    from distributed import Security, connect

    try:
        secrets = Security().get_connection_args("client")
        comm = await asyncio.wait_for(connect(address, timeout=CONNECT_SECONDS, **secrets), CONNECT_SECONDS)
    except (OSError, ValueError, TypeError, MemoryError) as error:  # the last if Dask reads other bytes as a length
        why = _one_line(error) or f"no answer within {CONNECT_SECONDS:.0f} s"
        raise WorkersError(f"no Dask scheduler at {address!r} ({why}): docs/lab.md says how to start one") from None
    await comm.close()


def _check_workers(client: "Client", address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError:
        raise WorkersError(
            f"the Dask scheduler at {address} has no worker: start some in the project's folder, "
            f"`python -m dask worker {address}`"
        ) from None


def _check_versions(client: "Client") -> None:
    found = cast("VersionsDict", client.get_versions(packages=COMPUTING))
    ours = found["client"]["packages"]
    _compare("the Dask scheduler", found["scheduler"]["packages"], ours, SPEAKING)
    for worker, theirs in found["workers"].items():
        _compare(f"Dask worker {worker}", theirs["packages"], ours, SPEAKING + COMPUTING)


def _compare(
    program: str, theirs: Mapping[str, str | None], ours: Mapping[str, str | None], packages: Sequence[str]
) -> None:
    for package in packages:
        has, wanted = _version(theirs, package), _version(ours, package)
        if has != wanted:
            raise WorkersError(
                f"{program} has {package} {has}, and this process has {wanted}: the results could differ; install "
                "the same requirements for both"
            )


def _version(packages: Mapping[str, str | None], package: str) -> str:
    version = packages.get(package) or "(none)"
    return ".".join(version.split(".")[:2]) if package == "python" else version


def _check_code(client: "Client") -> None:
    for worker, found in client.run(code_hash, on_error="return").items():
        if isinstance(found, Exception):
            raise WorkersError(
                f"Dask worker {worker} cannot import the project ({_one_line(found)}): start it in the project's "
                "folder with `python -m dask worker`; `dask worker` alone does not look for modules there"
            )
        if found != code_hash():
            raise WorkersError(
                f"Dask worker {worker} has loaded other code of the project than this process: start it again, in a "
                "folder with the same code"
            )


def _one_line(reason: object) -> str:
    return " ".join(str(reason).split())


@cache
def code_hash() -> str:
    """Return a hash of the project's code, as it is at the first call; a process keeps code that it has loaded."""
    found = hashlib.sha256()
    for folder in ("common", "problems", "training"):
        for file in sorted((PROJECT / folder).rglob("*.py")):
            found.update(f"{file.relative_to(PROJECT)}\n".encode() + file.read_bytes())
    return found.hexdigest()
