"""`python -m scripts.replay` through a real MLflow: figures, the CSV file, and errors in a line."""

import csv
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.bundle.model import OnnxModel
from common.problem import Problem, Table
from common.settings import PROJECT, Settings
from common.store import Store
from common.store.predictions import PredictionRow
from common.store.trust.replays import ReplaySpan
from common.table import read_table
from monitor.exporting_days import export_days
from scripts.parts import free_port, wait_for
from scripts.replay import run
from scripts.stack import process_environment
from tests.common.store.rows import NOON, prediction
from tests.conftest import RegisterByHand
from tests.programs import Ended, error_line, run_python
from tests.trust.replay.replayed import graph

DAY = NOON.date().isoformat()
ANSWERED = 7  # the number of the version that has answered


@dataclass(frozen=True)
class Logged:
    """A store with a day of a version's answers, and the rows with their true classes."""

    settings: Settings
    model: OnnxModel
    rows: Table

    def classes(self, model: OnnxModel) -> list[str]:
        return [model.classes[label] for label in model.predict(model.as_rows(self.rows.X)).labels]


@pytest.fixture(params=["sqlite", "postgresql"])
def logged(request: pytest.FixtureRequest, settings: Settings, bundle: bytes, problem: Problem) -> Iterator[Logged]:
    """Answers to all rows of iris; the even ones have a ground truth."""
    url = settings.database_url if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    rows = read_table(settings.data_dir / "data.csv", problem, indices=False)
    found = Logged(settings.model_copy(update={"database_url": url}), OnnxModel(bundle), rows)
    with closing(Store(url)) as store:
        store.predictions.write(answers(found, problem))
        for number in range(0, len(rows.y), 2):
            store.feedback.give(f"p{number:03}", problem.target.classes[rows.y[number]])
        yield found


def answers(log: Logged, problem: Problem) -> list[PredictionRow]:
    answer = log.model.predict(log.model.as_rows(log.rows.X))
    assert answer.probabilities is not None
    return [
        prediction(f"p{number:03}", name, version=ANSWERED, at=NOON + timedelta(seconds=number))
        | {"features": dict(zip(problem.columns, row, strict=True)), "confidence": confidence}
        for number, (row, name, confidence) in enumerate(
            zip(log.rows.X.tolist(), log.classes(log.model), answer.probabilities.max(axis=1).tolist(), strict=True)
        )
    ]


@pytest.fixture
def other(problem: Problem, prepared_data: Path) -> bytes:
    """The ONNX file of a model that has learnt little, and so answers some rows differently."""
    from common.bundle.export import export_onnx

    rows = read_table(prepared_data / "train.csv", problem, indices=True)
    few = Table(rows.X[:12], rows.y[:12])
    model = problem.candidates()[0].fit(few.X, few.y)
    return bytes(export_onnx(model, problem, few).SerializeToString())


def replay(settings: Settings, *options: str) -> Ended:
    return run_python("-m", "scripts.replay", *options, environment=process_environment(settings))


def day(version: int, *more: str) -> tuple[str, ...]:
    return ("--since", DAY, "--until", DAY, "--version", str(version), *more)


def test_a_version_replayed_on_its_own_answers_agrees_with_all_of_them(
    logged: Logged, bundle: bytes, register_by_hand: RegisterByHand
) -> None:
    found = run(logged.settings, span(), register_by_hand(bundle))
    assert (found.rows, found.changed, found.skipped) == (len(logged.rows.y), 0, 0)
    assert found.alike
    assert found.alike.value == 1
    assert (found.accuracy.gain, found.accuracy.harm, found.accuracy.truths) == (0, 0, 75)
    assert found.confidence.change
    assert found.confidence.change.value == pytest.approx(0, abs=1e-6)


def test_exported_days_are_replayed_as_the_log_is(
    logged: Logged, other: bytes, register_by_hand: RegisterByHand, tmp_path: Path
) -> None:
    with closing(Store(logged.settings.database_url)) as store:
        assert export_days(store, str(tmp_path), "iris", NOON + timedelta(days=1), "all") == 1
    version = register_by_hand(other)
    found = run(logged.settings, span(), version, exported=str(tmp_path))
    assert found == run(logged.settings, span(), version)
    assert found.changed > 0


def span() -> ReplaySpan:
    return ReplaySpan("iris", NOON, NOON + timedelta(hours=1))


def test_another_version_is_compared_and_its_changed_answers_are_in_the_file(
    logged: Logged, other: bytes, register_by_hand: RegisterByHand, tmp_path: Path, problem: Problem
) -> None:
    number, path = register_by_hand(other), tmp_path / "changed.csv"
    ended = replay(logged.settings, *day(number, "--csv", str(path)))
    assert ended.returncode == 0, ended.stderr
    old, new = logged.classes(logged.model), logged.classes(OnnxModel(other))
    truths = [problem.target.classes[label] for label in logged.rows.y]
    known = range(0, len(truths), 2)
    gain = sum(new[place] == truths[place] != old[place] for place in known)
    harm = sum(old[place] == truths[place] != new[place] for place in known)
    changed = [place for place in range(len(truths)) if old[place] != new[place]]
    assert harm
    assert figures(ended, "only the replayed version is right") == gain
    assert figures(ended, "only the served version was right") == harm
    assert f"iris: version {number} on the log, 2026-03-01 12:00 to 2026-03-01 12:02 UTC" in ended.stdout
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["prediction_id"] for line in lines] == [f"p{place:03}" for place in changed]
    for line, place in zip(lines, changed, strict=True):
        assert [float(line[name]) for name in problem.columns] == logged.rows.X[place].tolist()
        assert (line["served_class"], line["replayed_class"]) == (old[place], new[place])
        assert (line["served_version"], line["replayed_version"]) == (str(ANSWERED), str(number))
        assert line["ground_truth"] == (truths[place] if place % 2 == 0 else "")
        assert 0 < float(line["replayed_confidence"]) <= 1
        assert datetime.fromisoformat(line["predicted_at"]) == NOON + timedelta(seconds=place)
    assert list(tmp_path.glob(".changed*")) == []


def figures(ended: Ended, label: str) -> int:
    [found] = re.findall(rf"{label}\W+([\d,]+)", ended.stdout)
    return int(found.replace(",", ""))


def test_a_moment_is_exact_and_a_day_is_whole(logged: Logged, bundle: bytes, register_by_hand: RegisterByHand) -> None:
    number = str(register_by_hand(bundle))
    since = (NOON + timedelta(seconds=10)).isoformat()
    until = (NOON + timedelta(seconds=70)).astimezone(UTC).isoformat()
    ended = replay(logged.settings, "--since", since, "--until", until, "--version", number)
    assert figures(ended, "answered again") == 60


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (day(99), "replay: IrisModel has no version 99: the newest one is 1"),
        (("--since", "2026-03-02", "--until", "2026-03-03", "--version", "1"), "replay: the log has no row"),
        (("--since", "2026-03-02", "--until", "2026-02-03", "--version", "1"), "replay: the time is empty: 2026-03-02"),
        (day(1, "--problem", "flowers"), "replay: unknown problem 'flowers'"),
        (day(1, "--problem", "breast_cancer"), "replay: BreastCancerModel has no version 1: it has no versions"),
        (day(1, "--csv", "/nowhere/changed.csv"), "replay: /nowhere/changed.csv cannot be written: No such file"),
        (day(1, "--csv", "/proc"), "replay: /proc cannot be written: Is a directory"),
    ],
    ids=str,
)
def test_an_impossible_replay_is_an_error_in_one_line(
    settings: Settings, bundle: bytes, register_by_hand: RegisterByHand, options: tuple[str, ...], words: str
) -> None:
    register_by_hand(bundle)
    assert error_line(replay(settings, *options)).startswith(words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--since", "yesterday", "--until", DAY, "--version", "1"), "'yesterday' is neither a day"),
        (("--since", DAY, "--until", "9999-12-31", "--version", "1"), "'9999-12-31' is too late"),
        (day(0), "'0' is no number of a version"),
        (("--since", DAY, "--until", DAY, "--version", "1e3"), "'1e3' is no number of a version"),
    ],
    ids=str,
)
def test_a_wrong_option_is_named(offline: Settings, options: tuple[str, ...], words: str) -> None:
    ended = replay(offline, *options)
    assert ended.returncode == 2
    assert words in ended.stderr


def test_a_version_of_another_problems_features_is_refused(
    logged: Logged, register_by_hand: RegisterByHand, tmp_path: Path
) -> None:
    other = graph(("radius", "texture", "area"), problem=None)
    path = tmp_path / "changed.csv"
    path.write_text("before", encoding="utf-8")
    ended = replay(logged.settings, *day(register_by_hand(other), "--csv", str(path)))
    assert "no logged row fits version 1, which has other features: prediction p000 has no usable 'radius'" in (
        error_line(ended)
    )
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.glob(".changed*")) == []
    named = graph(("radius", "texture", "area"), problem="breast_cancer")
    assert "version 2 is of the problem breast_cancer, not of iris" in (
        error_line(replay(logged.settings, *day(register_by_hand(named))))
    )


def test_a_file_that_is_no_model_is_refused(settings: Settings, register_by_hand: RegisterByHand) -> None:
    line = error_line(replay(settings, *day(register_by_hand(b"no model"))))
    assert line.startswith("replay: version 1 cannot be loaded: ONNX Runtime cannot load the file")


def test_a_version_without_a_file_is_refused(
    settings: Settings, bundle: bytes, register_by_hand: RegisterByHand
) -> None:
    import mlflow

    register_by_hand(bundle)
    client = mlflow.MlflowClient(settings.mlflow_uri)
    run_of = client.create_run("0")
    client.create_model_version("IrisModel", f"{run_of.info.artifact_uri}/onnx", run_of.info.run_id)
    assert error_line(replay(settings, *day(2))).startswith("replay: version 2 cannot be fetched: MLflow at")


def test_without_mlflow_the_error_names_its_address(offline: Settings) -> None:
    assert error_line(replay(offline, *day(1))).startswith(f"replay: no MLflow at {offline.mlflow_uri}")


def test_a_store_that_cannot_be_opened_is_named(
    settings: Settings, bundle: bytes, register_by_hand: RegisterByHand
) -> None:
    number = register_by_hand(bundle)
    away = settings.model_copy(update={"database_url": f"postgresql+psycopg://x:secret@127.0.0.1:{free_port()}/lab"})
    line = error_line(replay(away, *day(number)))
    assert line.startswith("replay: the store at postgresql+psycopg://x:***@127.0.0.1")


def test_a_replay_that_is_stopped_leaves_no_file(
    logged: Logged, other: bytes, register_by_hand: RegisterByHand, tmp_path: Path, problem: Problem
) -> None:
    number, path = register_by_hand(other), tmp_path / "changed.csv"
    many(logged, problem)
    command = (sys.executable, "-m", "scripts.replay", *day(number, "--csv", str(path)))
    with subprocess.Popen(command, cwd=PROJECT, env=process_environment(logged.settings)) as started:
        wait_for("lines in the file", lambda: any(file.stat().st_size for file in tmp_path.glob(".changed*")))
        started.send_signal(signal.SIGTERM)
    assert started.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == [each for each in tmp_path.iterdir() if "changed" not in each.name]


def many(log: Logged, problem: Problem, times: int = 400) -> None:
    """Write so many rows that a replay takes seconds."""
    rows = answers(log, problem)
    with closing(Store(log.settings.database_url)) as store:
        for turn in range(times):
            store.predictions.write([each | {"id": f"{turn} {each['id']}"} for each in rows])
