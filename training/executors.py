"""Where candidates are fitted: in this process, in processes on all cores when that pays, or on a Dask cluster."""

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TYPE_CHECKING, Any

import cloudpickle
from joblib import Parallel, cpu_count, delayed
from joblib.externals.loky import get_reusable_executor

from common.problem import Candidate, Table
from training.backend import ClusterBackend
from training.cluster import WorkersError
from training.fitting import Fitted, fit_and_score

if TYPE_CHECKING:
    from distributed import Client

# Until processes have started and imported scikit-learn; measured, see docs/decisions.md.
START_SECONDS = 3.0


def fit_all(
    candidates: Sequence[Candidate], fitting: Table, validation: Table, cluster: "Client | None" = None
) -> Iterator[Fitted]:
    """Yield the candidates fitted, in their order, each as soon as it and those before it are there.

    They are fitted on the cluster, if there is one. Otherwise in this process, and what is left in a process for each
    core as soon as that pays. It makes no difference to the results.

    Raises:
        WorkersError: the workers are lost, or a candidate cannot be sent to a cluster.
    """
    if cluster is not None:
        if obstacle := _obstacle(candidates):
            raise WorkersError(obstacle)
        yield from _parallel(candidates, (fitting, validation), backend=ClusterBackend(cluster, (fitting, validation)))
        return
    spent = 0.0
    for done, candidate in enumerate(candidates):
        left = candidates[done:]
        if pays(spent, done, len(left), cpu_count()) and not _obstacle(left):
            yield from in_processes(left, fitting, validation)
            return
        begin = time.perf_counter()
        fitted = fit_and_score(candidate.fit, fitting, validation)
        spent += time.perf_counter() - begin
        yield fitted


def pays(spent: float, done: int, left: int, cores: int) -> bool:
    """Return whether so many candidates as are left should go to processes, one for each core.

    Not before the fits here have taken as long as processes take to start: a small grid never waits for them, and the
    first fit, which may have imports to do, or the smallest model, says little about the others. Then, if by the mean
    of the fits so far they save more than that, too.

    Args:
        spent: seconds that the fits in this process have taken.
        done: how many these were.
        left: how many candidates are left.
        cores: how many can be fitted at once.
    """
    saved = left - math.ceil(left / cores)
    return spent > START_SECONDS and saved * spent / done > START_SECONDS


def in_processes(candidates: Sequence[Candidate], fitting: Table, validation: Table) -> Iterator[Fitted]:
    """Yield the candidates fitted, as `fit_all` does, in a process for each core, which then end.

    Raises:
        WorkersError: a process has died.
    """
    processes = min(len(candidates), cpu_count())
    try:
        yield from _parallel(candidates, (fitting, validation), backend="loky", n_jobs=processes)
    except BrokenProcessPool:
        raise WorkersError(
            "a process died while it fitted a candidate (was there too little memory?): LOKY_MAX_CPU_COUNT=1 in the "
            "environment lets this process fit them all, one after the other"
        ) from None
    finally:
        get_reusable_executor().shutdown(wait=True)  # else they wait for more


def _parallel(candidates: Sequence[Candidate], rows: Sequence[Table], **where: Any) -> Iterator[Fitted]:
    fits = (delayed(partial(fit_and_score, candidate.fit))(*rows) for candidate in candidates)
    found: Iterator[Fitted] = Parallel(**where, return_as="generator", batch_size=1, pre_dispatch="all")(fits)
    return found


def _obstacle(candidates: Sequence[Candidate]) -> str:
    """Return why some candidate cannot be sent to another process; nothing if all can be."""
    for candidate in candidates:
        try:
            cloudpickle.dumps(candidate.fit)
        except Exception as error:  # noqa: BLE001  # whatever an object raises that will not be pickled
            return (
                f"candidate {candidate.params} cannot be sent to a worker ({error}): make what it needs inside its fit"
            )
    return ""
