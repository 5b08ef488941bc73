"""Search models of a problem: one MLflow run per candidate, the best one exported to ONNX and registered."""

import argparse
import signal
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from common.bundle.model import ModelError
from common.problem import Problem, ProblemError, get_problem
from common.registry.client import CHALLENGER, CHAMPION, RegistryUnavailableError, check_mlflow
from common.settings import SettingsError, load_settings
from common.signing.keys import require_key  # room: signing
from common.table import DataError
from training.batches import show_batches  # room: batches
from training.cluster import HELP, fit_on  # room: cluster
from training.fitting import FitAll, WorkersError, one_after_the_other
from training.progress import with_progress  # room: progress

if TYPE_CHECKING:
    from training.search import Trained

SHOWN = 5


def show(problem: Problem, trained: "Trained") -> None:
    """Print the best candidates, and each registered version with its metrics on the test rows."""
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
    for version, alias in ((trained.champion, CHAMPION), (trained.challenger, CHALLENGER)):
        if version:
            tested = [f"{name[5:]} {value}" for name, value in version.tags.items() if name.startswith("test_")]
            console.print("on test.csv: " + ", ".join(tested))
            console.print(
                f"registered {version.name} version {version.number} (ONNX) and {problem.sklearn_name} version "
                f"{version.tags['sklearn_version']} (scikit-learn); {alias} points at them"
            )


def main() -> None:
    """Train the problem that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problem", help="a file of problems/ (default: the setting PROBLEM)")
    parser.add_argument("--dask", metavar="ADDRESS", help=HELP)  # room: cluster
    arguments = parser.parse_args()
    try:
        settings = load_settings(problem=arguments.problem)
        problem = get_problem(settings.problem)
        require_key(settings)  # room: signing
        check_mlflow(settings.mlflow_uri)
        from training.executors import fit_on_all_cores  # room: executors

        fit_all: FitAll = one_after_the_other
        fit_all = fit_on_all_cores  # room: executors
        if arguments.dask is not None:  # room: cluster
            fit_all = fit_on(arguments.dask)  # room: cluster
        fit_all = with_progress(fit_all)  # room: progress
        # Imported late: scikit-learn, MLflow and the converter take seconds, and a missing server is reported first.
        from training.picture import log_picture  # room: picture
        from training.search import LogMore, train

        log_more: LogMore | None = None
        log_more = log_picture  # room: picture

        trained = train(problem, settings, fit_all, log_more)
    except (DataError, ModelError, RegistryUnavailableError, SettingsError, ProblemError, WorkersError) as error:
        sys.exit(f"main: {error}")
    show(problem, trained)
    show_batches(trained.results[0].model)  # room: batches


if __name__ == "__main__":
    # SIGTERM becomes an exception, as Ctrl-C is one, so that the processes that fit candidates end with this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    main()
