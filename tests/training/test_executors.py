"""Fitting in processes on this machine: when it pays, and that it changes no result."""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from common.problem import Candidate, Problem, Table
from common.settings import Settings
from common.split import split
from common.table import read_table
from scripts.parts import wait_for
from tests.training.conftest import deadly, failing, of, processes_in, signing, unsendable, waiting, waiting_main
from tests.training.test_search import registered
from training import executors
from training.fitting import WorkersError
from training.search import train

HERE = os.getpid()


@pytest.fixture(scope="module")
def rows(prepared_data: Path, problem: Problem) -> tuple[Table, Table]:
    return split(read_table(prepared_data / "train.csv", problem, indices=True))


def fitted_by(candidates: Sequence[Candidate], rows: tuple[Table, Table]) -> list[int]:
    return [vars(fitted.model)["fitted_by"] for fitted in executors.fit_on_all_cores(candidates, *rows)]


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """Return the processes that fit for another; beside them is one that cleans up after all."""
    return [child for child in process.children(recursive=True) if "popen_loky_posix" in " ".join(child.cmdline())]


@contextmanager
def let_go(folder: Path, count: int) -> Iterator[None]:
    """Let processes that wait in a folder go on as soon as there are `count` of them."""
    with ThreadPoolExecutor(1) as thread:
        waited = thread.submit(wait_for, "processes", lambda: len(processes_in(folder)) == count)
        waited.add_done_callback(lambda _: (folder / "go").touch())
        yield
        assert waited.result()


@pytest.mark.parametrize(
    ("spent", "done", "left", "cores", "expected"),
    [
        (0.0, 0, 15, 2, False),  # nothing is known yet
        (2.9, 1, 100, 8, False),  # imports may have taken that
        (2.4, 14, 1, 2, False),  # iris, at its end
        (3.1, 1, 14, 2, True),  # saves 21.7 s
        (3.1, 10, 5, 2, False),  # saves 0.6 s
        (60.0, 1, 1, 8, False),  # one candidate cannot be shared
        (60.0, 1, 14, 1, False),  # nor can one core
        (60.0, 1, 2, 8, True),
        (9.0, 9, 6, 2, False),  # saves 3 s, which it costs
        (9.1, 9, 6, 2, True),
    ],
)
def test_processes_pay_where_they_save_more_than_their_start_costs(
    spent: float, done: int, left: int, cores: int, *, expected: bool
) -> None:
    assert executors.START_SECONDS == 3.0
    assert executors.pays(spent, done, left, cores) is expected


def test_a_small_grid_stays_in_this_process(rows: tuple[Table, Table]) -> None:
    assert fitted_by([signing(number) for number in range(6)], rows) == [HERE] * 6


@pytest.mark.usefixtures("at_once")
def test_of_a_large_grid_the_first_is_fitted_here_and_the_others_in_a_process_for_each_core(
    rows: tuple[Table, Table], tmp_path: Path
) -> None:
    with let_go(tmp_path, 2):
        found = fitted_by([waiting(number, tmp_path, HERE) for number in range(6)], rows)
    assert found[0] == HERE
    assert {str(process) for process in found[1:]} == processes_in(tmp_path)
    assert workers_of(psutil.Process()) == []


@pytest.mark.usefixtures("at_once")
def test_results_come_while_others_are_being_fitted_and_in_the_order_of_the_candidates(
    rows: tuple[Table, Table], tmp_path: Path
) -> None:
    late = waiting(3, tmp_path)
    fits = executors.fit_on_all_cores([signing(0), signing(1), signing(2), late, signing(4)], *rows)
    assert [vars(next(fits).model)["C"] for _ in range(3)] == [1, 2, 3]
    assert not (tmp_path / "go").exists()
    (tmp_path / "go").touch()
    assert [vars(fitted.model)["C"] for fitted in fits] == [4, 5]


@pytest.mark.usefixtures("at_once")
def test_a_candidate_that_cannot_be_sent_keeps_all_in_this_process(rows: tuple[Table, Table]) -> None:
    assert fitted_by([signing(0), signing(1), unsendable(2)], rows) == [HERE] * 3


@pytest.mark.usefixtures("at_once")
def test_the_error_of_a_fit_in_a_process_is_raised_here(rows: tuple[Table, Table]) -> None:
    with pytest.raises(LookupError, match=r"^not with 90 rows of 4$"):
        fitted_by([signing(0), signing(1), failing(2), signing(3)], rows)
    assert workers_of(psutil.Process()) == []


@pytest.mark.usefixtures("at_once")
def test_when_a_process_dies_the_search_ends_in_one_line_and_registers_nothing(
    settings: Settings, problem: Problem
) -> None:
    with pytest.raises(WorkersError, match=r"^a process died .* LOKY_MAX_CPU_COUNT=1 in the environment .*$"):
        train(of(problem, *[deadly(number, HERE) for number in range(4)]), settings, executors.fit_on_all_cores)
    assert registered(settings.mlflow_uri) == []
    assert not (settings.lab_home / "models").exists()
    assert workers_of(psutil.Process()) == []


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_a_search_that_is_stopped_leaves_no_process_and_nothing_registered(
    settings: Settings, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    folder = tmp_path / "waiting"
    with waiting_main(settings, folder) as started:
        workers = workers_of(psutil.Process(started.pid))
        assert {str(worker.pid) for worker in workers} == processes_in(folder)
        if number == signal.SIGINT:
            os.killpg(started.pid, number)  # to all of them, as a terminal does
        else:
            started.send_signal(number)
        assert started.wait(timeout=30) == code
    wait_for("their end", lambda: not psutil.wait_procs(workers, timeout=0)[1])
    assert registered(settings.mlflow_uri) == []
