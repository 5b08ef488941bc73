"""A lab in containers is saved while it answers, and comes back as another lab with every answer and count."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.parts import free_port, wait_for
from tests.containers.loop import PATIENCE, correct, predict, state
from tests.containers.stack import PORTS, Stack, removed_at_the_end, run

FLOWERS = [[4.5, 3.4, 1.5, 0.2], [5.1, 3.5, 1.4, 0.2], [5.9, 2.8, 4.4, 1.3], [6.0, 2.7, 5.0, 1.6], [6.8, 3.1, 5.9, 2.2]]
Answer = dict[str, Any]
Counts = dict[str, int]  # the rows of each table


@dataclass(frozen=True)
class Saved:
    """A backup, what the lab said before it, and the rows of its tables before and after."""

    file: Path
    said: str
    suggestions: list[str]
    prediction: str
    before: dict[str, Any]
    rows: tuple[Counts, Counts]


@dataclass(frozen=True)
class Restored:
    """A lab made of a backup, and the rows that it had before its services started."""

    stack: Stack
    rows: Counts


def memory(api: httpx.Client, prediction_id: str, suggestions: list[str]) -> dict[str, Any]:
    """Return the counts of the lab, a prediction, corrections, and what made the version that answers."""
    return {
        "models": api.get("/models").raise_for_status().json()["versions"],
        "prediction": api.get(f"/predictions/{prediction_id}").raise_for_status().json(),
        "states": [state(api, each) for each in suggestions],
        # Aliases may move between the question and the backup, as evidence comes in.
        "lineage": [
            (each["model_version"], each["registry"]["run_id"])
            for each in api.get(f"/lineage/{prediction_id}").raise_for_status().json()["versions"]
        ],
    }


def row_counts(stack: Stack) -> Counts:
    """Return the rows of each table of the store, of MLflow and of the flow runs of Prefect."""
    tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    # Prefect deletes old events at any time.
    named = {"prefect": ["deployment", "flow_run"]}
    named |= {database: stack.ask_database(tables, database) for database in ("lab", "mlflow")}
    counts: Counts = {}
    for database, names in named.items():
        counted = (f"SELECT '{name} ' || count(*) FROM \"{name}\"" for name in names)  # noqa: S608  # names of tables
        for name, rows in map(str.split, stack.ask_database(" UNION ALL ".join(counted), database)):
            counts[f"{database}.{name}"] = int(rows)
    return counts


@pytest.fixture(scope="module")
def saved(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Save a lab that has learnt corrections."""
    file = tmp_path_factory.mktemp("saved") / "lab.tar"
    with stack.client() as api:
        if not api.get("/predict/test").is_success:
            stack.once("train")
            wait_for("the first version", lambda: api.get("/predict/test").is_success, PATIENCE)
        prediction = predict(api)["prediction_id"]
        api.post("/feedback", json={"prediction_id": prediction, "class_name": "Iris-setosa"}).raise_for_status()
        suggestions = correct(api, range(20, 25))
        before = memory(api, prediction, suggestions)
        rows = row_counts(stack)
        said = run(["sh", "containers/backup.sh", str(file)], stack.environment).stdout
        after = row_counts(stack)
        assert api.get("/predict/test").is_success
    return Saved(file, said, suggestions, prediction, before, (rows, after))


@pytest.fixture(scope="module")
def restored(stack: Stack, saved: Saved, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restored]:
    """Another lab, made of the backup alone."""
    folder = tmp_path_factory.mktemp("restored")
    (folder / "data").mkdir()
    if os.getuid() == 0:
        os.chown(folder / "data", 1000, 1000)
    own = {
        "COMPOSE_PROJECT_NAME": "closed-loop-lab-restored",
        "LAB_SECRETS": str(folder / "secrets"),
        "LAB_DATA": str(folder / "data"),
        "FRONT_SUBNET": "10.213.94.0/24",
        "BACK_SUBNET": "10.213.93.0/24",
        **{variable: str(free_port()) for variable in PORTS},
    }
    other = Stack({**stack.environment, **own}, folder / "data")
    with removed_at_the_end(other):
        run(["sh", "containers/restore.sh", str(saved.file)], other.environment)
        rows = row_counts(other)
        other.start("proxy", "finetune")
        yield Restored(other, rows)


def test_a_backup_lets_the_workers_go_on_and_only_its_owner_reads_it(stack: Stack, saved: Saved) -> None:
    assert saved.file.stat().st_mode & 0o077 == 0
    assert [each.name for each in saved.file.parent.iterdir()] == [saved.file.name]
    stack.wait_until_healthy("finetune")
    assert "saved the lab into" in saved.said


def test_a_backup_that_fails_leaves_no_file_and_lets_the_workers_go_on(
    stack: Stack, saved: Saved, tmp_path: Path
) -> None:
    wrong = {**stack.environment, "LAB_DATA": str(tmp_path / "nowhere")}
    ended = run(["sh", "containers/backup.sh", str(tmp_path / "lab.tar")], wrong, may_fail=True)
    assert ended.returncode
    assert "nowhere" in ended.stderr
    assert list(tmp_path.iterdir()) == []
    stack.wait_until_healthy("finetune")
    assert saved.file.exists()


def test_a_restored_lab_has_every_row_of_the_databases(saved: Saved, restored: Restored) -> None:
    before, after = saved.rows
    assert restored.rows.keys() == before.keys() == after.keys()
    # A row may have come while the backup was made.
    strange = {
        name: (before[name], rows, after[name])
        for name, rows in restored.rows.items()
        if not min(before[name], after[name]) <= rows <= max(before[name], after[name])
    }
    assert strange == {}
    some = ("lab.predictions", "lab.feedback", "lab.suggestions", "mlflow.model_versions", "prefect.flow_run")
    assert min(restored.rows[name] for name in some) > 0


def test_a_restored_lab_gives_the_same_answers_and_counts_and_learns_again(
    stack: Stack, saved: Saved, restored: Restored
) -> None:
    with stack.client() as original, restored.stack.client() as api:
        wait_for("the version", lambda: api.get("/predict/test").is_success, PATIENCE)
        found = memory(api, saved.prediction, saved.suggestions)
        for name in ("prediction", "states", "lineage"):
            assert found[name] == saved.before[name]
        assert counts(found) == counts(saved.before)

        def the_same() -> list[Answer] | None:
            both = [answers(each) for each in (original, api)]
            return both[0] if both[0] == both[1] else None

        # Each lab may let the next version serve when it has seen the evidence: both have to answer by one version.
        same = wait_for("the same answers of both labs", the_same, PATIENCE)
        assert len(same) == len(FLOWERS)
        [before] = {each["model_version"] for each in saved.before["states"]}
        states = [state(api, each) for each in correct(api, range(30, 35))]
    assert all(each["model_version"] > before for each in states)


def answers(api: httpx.Client) -> list[Answer]:
    """Return the answer for each of several rows, with its version and without its id."""
    found = api.post("/predict", json={"data": FLOWERS}).raise_for_status().json()["predictions"]
    return [{name: value for name, value in each.items() if name != "prediction_id"} for each in found]


def counts(of: dict[str, Any]) -> list[tuple[int, int]]:
    return [(each["model_version"], each["labels"]) for each in of["models"]]


def test_a_lab_that_is_not_empty_is_not_touched(stack: Stack, restored: Restored, saved: Saved) -> None:
    for there in (stack, restored.stack):
        ended = run(["sh", "containers/restore.sh", str(saved.file)], there.environment, may_fail=True)
        assert ended.returncode == 1
        assert "restore: this lab has containers" in ended.stderr


def test_a_damaged_backup_is_refused(stack: Stack, saved: Saved, tmp_path: Path) -> None:
    content = bytearray(saved.file.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "lab.tar").write_bytes(content)
    ended = run(["sh", "containers/restore.sh", str(tmp_path / "lab.tar")], stack.environment, may_fail=True)
    assert ended.returncode == 1
    assert "is damaged; nothing has changed" in ended.stderr
