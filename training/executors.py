"""Fit candidates on all cores of this machine, in a process for each core, when that pays."""

import math
import time
from collections.abc import Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import cloudpickle
from joblib import Parallel, cpu_count, delayed
from joblib.externals.loky import get_reusable_executor

from common.problem import Candidate, Table
from training.fitting import Fitted, WorkersError, fit_and_score

# Seconds until processes have started and imported scikit-learn; measured, see docs/decisions.md.
START_SECONDS = 3.0


def fit_on_all_cores(
    candidates: Sequence[Candidate], fitting: Table, validation: Table
) -> Generator[Fitted, None, None]:
    """Yield the fitted candidates in their order, each as soon as it and the ones before it are fitted.

    The first candidates are fitted in this process. As soon as processes pay, they fit the remaining ones. The results
    are the same, to the last bit.

    Raises:
        WorkersError: a process has died.
    """
    spent = 0.0
    for done, candidate in enumerate(candidates):
        left = candidates[done:]
        if pays(spent, done, len(left), cpu_count()) and _can_be_sent(left):
            yield from in_processes(left, fitting, validation)
            return
        begin = time.perf_counter()
        fitted = fit_and_score(candidate.fit, fitting, validation)
        spent += time.perf_counter() - begin
        yield fitted


def pays(spent: float, done: int, left: int, cores: int) -> bool:
    """Return whether the remaining candidates should go to processes, one for each core.

    There are two conditions. The fits so far must have taken as long as processes take to start: a small grid then
    never waits for processes, and a first fit that is slow (it imports) or fast (the smallest model) decides nothing
    alone. And the processes must save more than their start costs, by the mean of the fits so far.

    Args:
        spent: seconds that the fits in this process have taken.
        done: number of these fits.
        left: number of candidates that remain.
        cores: number of candidates that can be fitted at the same time.
    """
    saved = left - math.ceil(left / cores)
    return spent > START_SECONDS and saved * spent / done > START_SECONDS


def in_processes(candidates: Sequence[Candidate], fitting: Table, validation: Table) -> Generator[Fitted, None, None]:
    """Yield the candidates fitted, in their order, in a process for each core; the processes end with this generator.

    Raises:
        WorkersError: a process has died.
    """
    fits = (delayed(partial(fit_and_score, candidate.fit))(fitting, validation) for candidate in candidates)
    processes = min(len(candidates), cpu_count())
    try:
        yield from Parallel(processes, "loky", return_as="generator", batch_size=1, pre_dispatch="all")(fits)
    except BrokenProcessPool:
        raise WorkersError(
            "a process died while it fitted a candidate (too little memory?): with LOKY_MAX_CPU_COUNT=1 in the "
            "environment this process fits all of them, one after the other"
        ) from None
    finally:
        get_reusable_executor().shutdown(wait=True)  # joblib would keep the processes for later work


def _can_be_sent(candidates: Sequence[Candidate]) -> bool:
    try:
        cloudpickle.dumps([candidate.fit for candidate in candidates])
    except Exception:  # noqa: BLE001  # an object that refuses to be pickled may raise anything
        return False
    return True
