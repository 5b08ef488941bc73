"""Search models of a problem: one MLflow run per candidate, the best one exported to ONNX and registered."""

import argparse
import signal
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from common.bundle.model import ModelError
from common.problem import Problem, ProblemError, get_problem
from common.registry.client import CHALLENGER, CHAMPION, RegistryUnavailableError, Version, check_mlflow
from common.settings import SettingsError, load_settings
from common.table import DataError
from training.cluster import WorkersError, reach

if TYPE_CHECKING:
    from training.search import Trained

SHOWN = 5


def show(problem: Problem, trained: "Trained") -> None:
    """Print the best candidates and what was registered."""
    results = trained.results
    rule = "accuracy" if None in [result.log_loss for result in results] else "log-loss"
    table = Table(title=f"the best of {len(results)} candidates, by validation {rule}")
    for heading in (*results[0].candidate.params, "log-loss", "accuracy"):
        table.add_column(heading.replace("_", " "), justify="right")
    for result in results[:SHOWN]:
        table.add_row(
            *map(str, result.candidate.params.values()),
            "" if result.log_loss is None else f"{result.log_loss:.4f}",
            f"{result.metrics['val_accuracy']:.3f}",
        )
    console = Console(soft_wrap=True)
    console.print(table)
    show_version(console, problem, trained.champion, CHAMPION)
    if trained.challenger:
        show_version(console, problem, trained.challenger, CHALLENGER)


def show_version(console: Console, problem: Problem, version: Version, alias: str) -> None:
    """Print what was registered, and how it was tested."""
    console.print("on test.csv: " + ", ".join(f"{k[5:]} {v}" for k, v in version.tags.items() if k.startswith("test_")))
    console.print(
        f"registered {version.name} version {version.number} (ONNX) and {problem.sklearn_name} version "
        f"{version.tags['sklearn_version']} (scikit-learn); {alias} points at them"
    )


def main() -> None:
    """Train the problem that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problem", help="a file of problems/ (default: the setting PROBLEM)")
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="fit on the Dask cluster whose scheduler is at tcp://HOST:PORT (default: on this machine)",
    )
    arguments = parser.parse_args()
    try:
        settings = load_settings(**({"problem": arguments.problem} if arguments.problem else {}))
        problem = get_problem(settings.problem)
        check_mlflow(settings.mlflow_uri)
        with nullcontext() if arguments.dask is None else reach(arguments.dask) as cluster:
            # Importing scikit-learn, MLflow and the converter takes longer than an answer to "is MLflow there?" may.
            from training.search import train

            trained = train(problem, settings, cluster)
    except (DataError, ModelError, RegistryUnavailableError, SettingsError, ProblemError, WorkersError) as error:
        sys.exit(f"main: {error}")
    show(problem, trained)


if __name__ == "__main__":
    # The processes that fit candidates end with this one when it is told to end, and not only at Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    main()
