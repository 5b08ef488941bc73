"""`python -m monitor.past_drift` through a real MLflow: days of the log and of exported files, and errors in a line."""

import re
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from common.problem import Problem
from common.settings import Settings
from common.store import Store
from common.store.trust.replays import ReplaySpan
from common.table import read_table
from monitor.exporting_days import export_days
from monitor.past_drift import days
from monitor.statistics.window import Evaluation
from scripts.stack import process_environment
from tests.common.store.rows import NOON, prediction
from tests.conftest import RegisterByHand
from tests.programs import Ended, error_line, run_python
from tests.trust.replay.replayed import graph

DAY = timedelta(days=1)
MIDNIGHT = NOON.replace(hour=0, minute=0, second=0, microsecond=0)
SPAN = ReplaySpan("iris", MIDNIGHT, MIDNIGHT + 3 * DAY)
OPTIONS = ("--since", "2026-03-01", "--until", "2026-03-03", "--version")


@pytest.fixture
def lab(settings: Settings, problem: Problem) -> Settings:
    """A lab whose log has the rows of training on one day, longer petals on the next, and nothing on the third."""
    rows = np.tile(read_table(settings.data_dir / "train.csv", problem, indices=True).X, (5, 1))
    moved = rows + np.array([0, 0, 2, 0])
    with closing(Store(settings.database_url)) as store:
        store.predictions.write(
            [
                prediction(f"{day}-{number}", at=NOON + day * DAY)
                | {"features": dict(zip(problem.columns, values, strict=True))}
                for day, sent in enumerate((rows, moved))
                for number, values in enumerate(sent.tolist())
            ]
        )
    return settings


def command(settings: Settings, *options: str) -> Ended:
    return run_python(
        "-m", "monitor.past_drift", *options, environment=process_environment(settings) | {"COLUMNS": "200"}
    )


def test_each_day_is_compared_with_the_reference_of_the_version(
    lab: Settings, bundle: bytes, register_by_hand: RegisterByHand
) -> None:
    found = dict(days(lab, SPAN, register_by_hand(bundle)))
    assert [each.rows for each in found.values()] == [600, 600, 0]
    drifted = [{name for name, each in of.features.items() if each.verdict == "drift"} for of in found.values()]
    assert drifted == [set(), {"petal_length"}, set()]


def test_exported_days_have_the_verdicts_of_the_log_after_their_rows_are_gone(
    lab: Settings, bundle: bytes, register_by_hand: RegisterByHand, tmp_path: Path
) -> None:
    version = register_by_hand(bundle)
    before = list(days(lab, SPAN, version))
    with closing(Store(lab.database_url)) as store:
        export_days(store, str(tmp_path), "iris", SPAN.until, "all")
    empty = lab.model_copy(update={"database_url": f"sqlite:///{tmp_path}/none.db"})
    after = list(days(empty, SPAN, version, str(tmp_path)))
    assert [(begin, verdicts(found)) for begin, found in after] == [(begin, verdicts(found)) for begin, found in before]
    assert not (tmp_path / "none.db").exists()


def verdicts(evaluation: Evaluation) -> object:
    """Return all that does not depend on the order in which numbers are added up."""
    subjects = {name: (each.verdict, each.rows, each.distribution) for name, each in evaluation.subjects.items()}
    return evaluation.rows, evaluation.class_counts, evaluation.outliers, subjects


def test_the_command_prints_a_line_for_each_day_and_the_subject_that_has_drifted(
    lab: Settings, bundle: bytes, register_by_hand: RegisterByHand
) -> None:
    ended = command(lab, *OPTIONS, str(register_by_hand(bundle)))
    assert ended.returncode == 0, ended.stderr
    assert "Drift of iris from the reference of version 1" in ended.stdout
    assert re.search(r"petal_length: \d+ % higher than in training", ended.stdout)
    assert "no predictions" in ended.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((*OPTIONS, "9"), "drift: IrisModel has no version 9: the newest one is 1"),
        ((*OPTIONS, "1", "--exported", "nowhere"), "drift: nowhere has no days of iris"),
        (("--since", "2026-03-02", "--until", "2026-02-03", "--version", "1"), "drift: the time is empty: 2026-03-02"),
        ((*OPTIONS, "1", "--problem", "flowers"), "drift: unknown problem 'flowers'"),
    ],
    ids=str,
)
def test_an_impossible_comparison_is_an_error_in_one_line(
    settings: Settings, bundle: bytes, register_by_hand: RegisterByHand, options: tuple[str, ...], words: str
) -> None:
    register_by_hand(bundle)
    assert error_line(command(settings, *options)).startswith(words)


def test_a_version_without_a_reference_is_refused(
    settings: Settings, problem: Problem, register_by_hand: RegisterByHand
) -> None:
    version = register_by_hand(graph(problem.columns, problem=None))
    assert error_line(command(settings, *OPTIONS, str(version))) == (
        "drift: version 1 has no reference of its training rows to compare with"
    )
