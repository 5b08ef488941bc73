"""A Dask cluster as a backend of joblib's.

joblib brings one, too. That one waits for ever when a task's workers die of it or no worker is left, does the work in
this process where there is one worker, and needs a scheduler that can import the project.
"""

import pickle
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import cloudpickle
from joblib import ParallelBackendBase

from training.cluster import WORKER_SECONDS, WorkersError, one_line

if TYPE_CHECKING:
    from distributed import Client, Future

LOOK_SECONDS = 1.0


class ClusterBackend(ParallelBackendBase):  # type: ignore[misc]  # joblib ships no types
    """Runs what is given to `joblib.Parallel` on a Dask cluster.

    Tasks travel pickled, so that the scheduler, which hands them on, need not understand them; their arguments travel
    before them, once.
    """

    supports_retrieve_callback = True

    def __init__(self, client: "Client", arguments: Sequence[object]) -> None:
        """Send the arguments, some or all of which each task takes."""
        import dask

        super().__init__()
        self._client = client
        self._arguments = arguments  # kept, because while they live nothing else has their ids
        # Unpickled by a task, which Dask repeats: what it merely scatters is lost with the workers that hold it. For
        # that, the scheduler has to keep the bytes, of which it would warn.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
            self._sent = {id(each): client.submit(pickle.loads, pickle.dumps(each), pure=False) for each in arguments}
        self._futures: list[Future[Any]] = []
        self._over = Event()

    def effective_n_jobs(self, n_jobs: int) -> int:  # noqa: ARG002  # joblib passes it
        """Return any number but 1, for which joblib would run the tasks in this process."""
        return 2

    def submit(self, func: Any, callback: Callable[["Future[Any]"], None]) -> "Future[Any]":
        """Give a task to the cluster; joblib wraps it as a batch of one."""

        # Nested, because it is then sent as code, and not as the name of a module that the scheduler would import.
        def run(pickled: bytes, *arguments: object) -> bytes:
            found: bytes = cloudpickle.dumps([pickle.loads(pickled)(*arguments)])  # noqa: S301  # to run it is its work
            return found

        [(function, arguments, _)] = func.items
        sent = [self._sent[id(argument)] for argument in arguments]
        future = self._client.submit(run, cloudpickle.dumps(function), *sent, pure=False)
        self._futures.append(future)
        future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: "Future[Any]") -> object:
        """Return what a task has returned, or raise what it has raised.

        Raises:
            WorkersError: the cluster could not run it.
        """
        from distributed import KilledWorker

        try:
            return pickle.loads(out.result())  # noqa: S301  # by our own worker
        except KilledWorker:
            raise WorkersError(
                "one Dask worker after the other died of the same candidate: their output may say why "
                "(too little memory?)"
            ) from None
        except CancelledError as error:
            raise WorkersError(
                f"the Dask cluster is lost ({one_line(error)}): start it again, then train again"
            ) from None

    def abort_everything(self, ensure_ready: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002  # joblib's signature
        """Let the cluster forget the tasks; a fit that has begun ends unheard."""
        self._client.cancel(self._futures)

    def start_call(self) -> None:
        """Begin to look whether there are workers."""
        self._over.clear()
        Thread(target=self._watch, daemon=True).start()

    def stop_call(self) -> None:
        """Look no longer."""
        self._over.set()

    def _watch(self) -> None:
        """Give up when the last worker is gone: Dask would wait for the next one, for ever."""
        seen = time.monotonic()
        while not self._over.wait(LOOK_SECONDS):
            try:
                workers = self._client.nthreads()
            except (OSError, RuntimeError):
                return  # the scheduler is gone, or the connection closed, which the futures know of themselves
            if workers:
                seen = time.monotonic()
            elif time.monotonic() - seen > WORKER_SECONDS:
                self._client.cancel(self._futures, reason="no-workers", msg="No worker is left.")
                return
