"""Fine-tune with the rows that a problem has set aside as later data: `python -m finetune.later`.

The worker does the same with corrections by itself; a person starts this command.
"""

import argparse
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from common.bundle.model import ModelError
from common.problem import Classifier, Problem, ProblemError, get_problem
from common.registry.client import RegistryUnavailableError, check_mlflow
from common.settings import Settings, SettingsError, load_settings
from common.store import Store
from common.table import DataError, read_table

if TYPE_CHECKING:
    from finetune.train import FineTuned

METRICS_PER_REQUEST = 1000  # MLflow's limit


def learn_later(settings: Settings) -> str:
    """Fine-tune with later.csv, and register the model if it passes the gate; return the outcome as one line.

    Raises:
        DataError: later.csv or another file is missing, empty or damaged.
        LookupError: there is no version to continue.
    """
    from finetune import evidence, gate, train, versions

    problem = get_problem(settings.problem)
    later = _check_data(problem, settings)
    with FileLock(settings.data_dir / "finetune.lock"), closing(Store(settings.database_url)) as store:
        serving = versions.serving_version(problem, settings)
        versions.quarantine_taken_back(problem, settings, store, serving)
        files = {train.LATER: later}
        if settings.corrections.exists() and settings.corrections.read_bytes().strip():
            files[train.CORRECTIONS] = settings.corrections
        if known := versions.version_of_same_data(problem, settings, files):
            store.trust.versions.complete(problem.name, known.number)  # room: trust
            versions.put_into_service(problem, settings, known)
            moved = "" if known.number == serving.number else f", and is {known.tags.get(versions.SERVES_AS)} now"
            return f"version {known.number} has learnt {later.name} already{moved}"
        fine_tuned = train.fine_tune(problem, settings, serving, files)
        log_batches(fine_tuned)
        exam = evidence.set_exam(problem, settings, store, serving, ()) if settings.gate == "evidence" else None
        checked = gate.check(problem, settings, fine_tuned, exam)
        judgement = versions.record(problem, fine_tuned, checked)
        store.judgements.add(judgement)
        if not checked.aliases:
            return f"{checked.verdict}: {checked.because}"
        version = versions.register(problem, settings, serving, fine_tuned, checked)
        store.trust.versions.learnt(problem.name, version.number)  # room: trust
        versions.put_into_service(problem, settings, version)
        store.judgements.registered(judgement.id, version.number)
    tested = [f"{name[5:]} {value}" for name, value in version.tags.items() if name.startswith("test_")]
    outcome = (
        f"registered {version.name} version {version.number} ({checked.verdict}); on test.csv: {', '.join(tested)}"
    )
    return outcome + last_batch(fine_tuned.models[checked.name])


def log_batches(fine_tuned: "FineTuned") -> None:
    """Log the curves of candidates that learn in batches to their MLflow run: a step for each batch."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    now = time.time_ns() // 1_000_000
    points = [
        Metric(f"{name}_{curve}", value, now, step)
        for name, model in fine_tuned.models.items()
        for curve, values in getattr(model, "curves_", {}).items()
        for step, value in enumerate(values, start=1)
    ]
    for start in range(0, len(points), METRICS_PER_REQUEST):
        MlflowClient().log_batch(fine_tuned.run_id, points[start : start + METRICS_PER_REQUEST])


def last_batch(model: Classifier) -> str:
    """Return the end of a line about a model: its figures on the last batch; nothing without batches."""
    curves = dict(getattr(model, "curves_", {}))
    figures = [f"{name.removeprefix('batch_')} {curve[-1]:.4f}" for name, curve in curves.items()]
    return f"; batch {len(next(iter(curves.values())))}: {', '.join(figures)}" if figures else ""


def _check_data(problem: Problem, settings: Settings) -> Path:
    """Return the path of later.csv, after a check that it and the other files can be read."""
    later = settings.data_dir / "later.csv"
    if not problem.later_share and later.is_file() and not later.read_bytes().strip():
        raise DataError(f"{later} is empty: problem {problem.name} sets no rows aside (its later_share is 0)")
    for name in ("train.csv", "test.csv", later.name):
        read_table(settings.data_dir / name, problem, indices=True)
    return later


def main() -> None:
    """Fine-tune the problem that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m finetune.later", description=__doc__)
    parser.add_argument("--problem", help="a file of problems/ (default: the setting PROBLEM)")
    arguments = parser.parse_args()
    try:
        settings = load_settings(**({"problem": arguments.problem} if arguments.problem else {}))
        check_mlflow(settings.mlflow_uri)
        print(learn_later(settings))
    except (DataError, LookupError, ModelError, RegistryUnavailableError, SettingsError, ProblemError) as error:
        sys.exit(f"later: {error}")


if __name__ == "__main__":
    main()
