"""A grid of candidates, fitted one after the other, in a process for each core, and on a Dask cluster."""

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from joblib import cpu_count

from benchmarks.harness import lab
from benchmarks.harness.report import Report, ratio, seconds
from common.problem import Candidate, Classifier, Floats, Ints, Table
from scripts.parts import free_port, process
from scripts.ports import HOST
from training.cluster import fit_on, reach
from training.executors import in_processes, pays
from training.fitting import Fitted, fit_and_score

SIZES = (1_000, 4_000, 12_000, 24_000)  # rows
CANDIDATES = 12
COLUMNS, NEURONS, EPOCHS = 30, 30, 10
WORKERS = 2
REPEATS = 3
HERE, PROCESSES, DASK = "one after the other", f"{cpu_count()} processes", f"{WORKERS} Dask workers"
TEXT = (
    f"{CANDIDATES} perceptrons with two layers of {NEURONS} neurons learn from rows of {COLUMNS} numbers for {EPOCHS} "
    "epochs: one after the other in this process; in a process for each core, including the time to start these "
    f"processes and to import scikit-learn; and on a Dask cluster of {WORKERS} workers on this machine, which have "
    "already imported scikit-learn, including the time to connect and to compare versions. The figures are medians of "
    f"{REPEATS}, measured in turn; the unit of the ratios is *{HERE}*. All coefficients and metrics are compared, and "
    "are equal to the last bit. `main.py` fits the first candidates itself, and the others in processes as soon as "
    "that is faster. The last column says after how many candidates it would, with the times of this table."
)

Method = Callable[[Sequence[Candidate], Table], list[Fitted]]


def measure() -> Report:
    """Fit the same candidates to more and more rows, with each method in turn."""
    with tempfile.TemporaryDirectory(prefix="lab-") as folder, cluster(Path(folder)) as address:
        methods: dict[str, Method] = {
            HERE: lambda grid, rows: [fit_and_score(candidate.fit, rows, rows) for candidate in grid],
            PROCESSES: lambda grid, rows: list(in_processes(grid, rows, rows)),
            DASK: lambda grid, rows: on_cluster(grid, rows, address),
        }
        methods[DASK](candidates(), made(SIZES[0]))  # so that the workers have imported scikit-learn
        found = [measured(methods, made(size)) for size in SIZES]
    header = ("rows", HERE, PROCESSES, "ratio", DASK, "ratio", "`main.py`")
    return Report("The grid", TEXT, header, [row(size, times) for size, times in zip(SIZES, found, strict=True)])


def row(size: int, times: dict[str, float]) -> Sequence[str]:
    """Return a row of the table: `size` rows, and the seconds of each method."""
    here = times[HERE]
    others = [cell for method in (PROCESSES, DASK) for cell in (seconds(times[method]), ratio(times[method], here))]
    return (f"{size:,}", seconds(here), *others, decision(here / CANDIDATES))


def decision(fit: float) -> str:
    """Return how `main.py` distributes candidates that take `fit` seconds each."""
    for done in range(1, CANDIDATES):
        if pays(done * fit, done, CANDIDATES - done, cpu_count()):
            return f"{done} here, {CANDIDATES - done} in processes"
    return "all here"


def measured(methods: dict[str, Method], rows: Table) -> dict[str, float]:
    """Return the median seconds of each method.

    Raises:
        RuntimeError: the methods do not fit the same models.
    """
    times: dict[str, list[float]] = {method: [] for method in methods}
    results = set()
    for _ in range(REPEATS):
        for method, fit in methods.items():
            lab.say(f"{len(rows.y)} rows, {method}")
            begin = time.perf_counter()
            found = fit(candidates(), rows)
            times[method].append(time.perf_counter() - begin)
            results.add(bits(found))
    if len(results) != 1:
        raise RuntimeError(f"with {len(rows.y)} rows, the methods do not fit the same models")
    return {method: median(taken) for method, taken in times.items()}


def bits(found: Sequence[Fitted]) -> tuple[bytes, ...]:
    """Return the bytes of all coefficients and metrics."""
    learnt = [(*vars(fitted.model)["coefs_"], *vars(fitted.model)["intercepts_"]) for fitted in found]
    return tuple(array.tobytes() for arrays in learnt for array in arrays) + tuple(
        repr(fitted.metrics).encode() for fitted in found
    )


def on_cluster(grid: Sequence[Candidate], rows: Table, address: str) -> list[Fitted]:
    """Fit candidates on a cluster, as `main.py --dask` does."""
    return list(fit_on(address)(grid, rows, rows))


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Run a Dask scheduler and its workers; yield the address."""
    port = free_port()
    address = f"tcp://{HOST}:{port}"
    options = ["--host", HOST, "--no-dashboard", "--dashboard-address", f"{HOST}:0"]
    scheduler = ["scheduler", "--port", str(port), *options]
    worker = ["worker", address, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder), *options]
    with ExitStack() as stack:
        for number, command in enumerate((scheduler, *[worker] * WORKERS)):
            log = folder / f"{number}.log"
            stack.enter_context(process([sys.executable, "-m", "dask", *command], log, os.environ))
        with reach(address) as client:
            client.wait_for_workers(WORKERS)
        yield address


def made(rows: int) -> Table:
    """Return rows of two classes that the sum of the first five columns mostly separates."""
    rng = np.random.default_rng(rows)
    X = rng.normal(size=(rows, COLUMNS))
    return Table(X, (X[:, :5].sum(axis=1) + rng.normal(size=rows) > 0).astype(np.int64))


def candidates() -> list[Candidate]:
    """Return perceptrons that differ in their seed alone, so that each takes the same time."""
    return [Candidate({"seed": seed}, perceptron(seed)) for seed in range(CANDIDATES)]


def perceptron(seed: int) -> Callable[[Floats, Ints], Classifier]:
    """Return the fit of a perceptron with this seed."""

    def fit(X: Floats, y: Ints) -> Classifier:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # ten epochs are too few to converge
            model = MLPClassifier((NEURONS, NEURONS), max_iter=EPOCHS, random_state=seed)
            fitted: Classifier = model.fit(X, y)
            return fitted

    return fit
