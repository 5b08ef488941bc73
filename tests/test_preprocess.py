"""Preprocessing: the split, its files, and that bad data change nothing."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.precision import merged_columns
from common.problem import Problem, Table
from common.table import DataError, read_table, table_bytes
from preprocess import main, preprocess, split
from tests.programs import Ended, error_line, run_python

NAMES = ("classes.json", "later.csv", "test.csv", "train.csv")


@pytest.fixture(scope="module")
def raw(problem: Problem) -> bytes:
    return table_bytes(problem.load(None), problem.target.classes)


def run(home: Path, *arguments: str) -> Ended:
    return run_python("preprocess.py", *arguments, environment={**os.environ, "LAB_HOME": str(home), "PROBLEM": "iris"})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_rows_are_shuffled_and_a_fifth_of_each_class_is_kept_for_testing(problem: Problem) -> None:
    train, test = split(problem.load(None), 0.2)
    assert np.bincount(train.y).tolist() == [40, 40, 40]
    assert np.bincount(test.y).tolist() == [10, 10, 10]
    assert train.y.tolist() != sorted(train.y.tolist())
    assert test.y.tolist() != sorted(test.y.tolist())


def test_every_row_is_in_one_of_the_two_parts(problem: Problem) -> None:
    table = problem.load(None)
    parts = split(table, 0.2)
    rows = sorted([*row, y] for part in parts for row, y in zip(part.X.tolist(), part.y.tolist(), strict=True))
    assert rows == sorted([*row, y] for row, y in zip(table.X.tolist(), table.y.tolist(), strict=True))


def test_the_same_data_give_the_same_bytes(problem: Problem, raw: bytes, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.csv").write_bytes(raw)
        preprocess(problem, tmp_path / name)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert sorted(contents(tmp_path / "one")) == sorted([*NAMES, "data.csv"])


def test_labels_are_indices_into_the_list_of_classes(prepared_data: Path, problem: Problem) -> None:
    classes = json.loads((prepared_data / "classes.json").read_bytes())
    assert classes == list(problem.target.classes)
    named = {tuple(row.split(",")[:4]): row.split(",")[4] for row in _lines(prepared_data / "data.csv")}
    for name in ("train.csv", "test.csv"):
        for row in _lines(prepared_data / name):
            *features, index = row.split(",")
            assert classes[int(index)] == named[tuple(features)]


def test_the_command_writes_the_three_files_and_says_how_many_rows(tmp_path: Path, raw: bytes) -> None:
    folder = tmp_path / "data" / "iris"
    folder.mkdir(parents=True)
    (folder / "data.csv").write_bytes(raw)
    ended = run(tmp_path, "iris")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "iris: 120 rows in train.csv, 30 rows in test.csv\n"
    assert sorted(contents(folder)) == sorted([*NAMES, "data.csv"])


BAD = {
    "a missing column": b"5.1,3.5,1.4,Iris-setosa\n",
    "a word": b"5.1,3.5,x,0.2,Iris-setosa\n",
    "an unknown label": b"5.1,3.5,1.4,0.2,Iris-japonica\n",
    "an empty label": b"5.1,3.5,1.4,0.2,\n",
    "NaN": b"5.1,3.5,1.4,nan,Iris-setosa\n",
    "an empty file": b"",
    "semicolons": b"5.1;3.5;1.4;0.2;Iris-setosa\n",
    "not UTF-8": b"5.1,3.5,1.4,0.2,Iris-s\xe9tosa\n",
    "no file": None,
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_bad_data_are_refused_in_one_line_and_change_nothing(
    problem: Problem, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "data.csv").write_bytes(content)
    (tmp_path / "train.csv").write_bytes(b"from before")
    before = contents(tmp_path)
    with pytest.raises(DataError) as refused:
        preprocess(problem, tmp_path)
    assert str(refused.value).startswith(str(tmp_path / "data.csv"))
    assert len(str(refused.value).splitlines()) == 1
    assert content is None or ", row 1" in str(refused.value)
    assert contents(tmp_path) == before


def test_bad_data_stop_the_command_with_that_line_alone(tmp_path: Path, raw: bytes) -> None:
    folder = tmp_path / "data" / "iris"
    folder.mkdir(parents=True)
    (folder / "data.csv").write_bytes(raw + b"5.1,3.5,x,0.2,Iris-setosa\n")
    expected = f"preprocess: {folder / 'data.csv'}, row 151, column petal_length: 'x' is not a number"
    assert error_line(run(tmp_path, "iris")) == expected
    assert list(contents(folder)) == ["data.csv"]


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e39])
def test_a_loaded_number_that_float32_cannot_hold_is_refused(problem: Problem, tmp_path: Path, value: float) -> None:
    def load(_: Path | None) -> Table:
        table = problem.load(None)
        table.X[6, 2] = value
        return table

    with pytest.raises(DataError) as refused:
        preprocess(replace(problem, load=load), tmp_path)
    assert str(refused.value) == (
        f"{tmp_path / 'data.csv'}, column petal_length: `load` of the problem makes {value} of it in row 7, "
        "and models are asked in finite numbers of float32"
    )


def hours(problem: Problem, folder: Path, origin: int) -> Problem:
    """Write a table of iris' form whose third column counts hours, and return the problem."""
    folder.mkdir()
    lines = [f"5.1,3.5,{origin + number % 24},0.2,{problem.target.classes[number % 3]}\n" for number in range(120)]
    (folder / "data.csv").write_text("".join(lines), encoding="utf-8")
    return problem


def test_a_column_whose_values_merge_in_float32_is_warned_of(
    problem: Problem, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    preprocess(hours(problem, tmp_path / "stamps", 2024031500), tmp_path / "stamps")
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning == (
        f"preprocess: {tmp_path / 'stamps' / 'data.csv'}, column petal_length: 2024031500.0 and 2024031501.0 are the "
        "same for a model, which is asked in float32 (24 different values become 1): subtract an origin from the "
        "column, or use another unit"
    )
    caplog.clear()
    preprocess(hours(problem, tmp_path / "from an origin", 0), tmp_path / "from an origin")
    assert caplog.records == []


def test_digits_that_only_float64_has_are_not_warned_of(problem: Problem) -> None:
    X = np.random.default_rng(0).normal(size=(60_000, 4))
    assert len(np.unique(X[:, 0].astype(np.float32))) < len(X)
    assert list(merged_columns(problem, Table(X, np.zeros(60_000, dtype=np.int64)))) == []


def test_a_warning_is_shown_and_the_command_goes_on(tmp_path: Path, problem: Problem) -> None:
    (tmp_path / "data").mkdir()
    hours(problem, tmp_path / "data" / "iris", 2024031500)
    ended = run(tmp_path, "iris")
    assert (ended.returncode, ended.stdout) == (0, "iris: 96 rows in train.csv, 24 rows in test.csv\n")
    assert ended.stderr.startswith(f"preprocess: {tmp_path / 'data' / 'iris' / 'data.csv'}, column petal_length: ")
    assert len(ended.stderr.splitlines()) == 1


def test_an_unknown_problem_stops_the_command_with_one_line_and_makes_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    monkeypatch.setenv("PROBLEM", "no_such")
    monkeypatch.setattr(sys, "argv", ["preprocess.py"])
    with pytest.raises(SystemExit, match=r"preprocess: unknown problem 'no_such'") as stopped:
        main()
    assert len(str(stopped.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "labels", [["Iris-setosa"] * 9 + ["Iris-virginica"], ["Iris-setosa"], ["Iris-setosa", "Iris-virginica"]]
)
def test_data_too_few_to_split_are_refused_in_one_line(tmp_path: Path, problem: Problem, labels: list[str]) -> None:
    (tmp_path / "data.csv").write_text("".join(f"5.1,3.5,1.4,0.2,{label}\n" for label in labels), encoding="utf-8")
    with pytest.raises(DataError, match=r"data\.csv: cannot be split") as refused:
        preprocess(problem, tmp_path)
    assert len(str(refused.value).splitlines()) == 1
    assert list(contents(tmp_path)) == ["data.csv"]


def flowers(*counts: int) -> str:
    """Return so many rows of each species, no two alike."""
    species = ("Iris-setosa", "Iris-versicolor", "Iris-virginica")
    return "".join(
        f"{5 + number / 100},{index},1.4,0.2,{species[index]}\n"
        for index, count in enumerate(counts)
        for number in range(count)
    )


@pytest.mark.parametrize(
    ("counts", "test_share", "said"),
    [
        ((40, 40, 2), 0.2, "class 'Iris-virginica' has 2 rows in data.csv, and needs 3 at least"),
        ((1, 40, 40), 0.2, "class 'Iris-setosa' has 1 row in data.csv, and needs 3 at least"),
        ((40, 0, 40), 0.2, "class 'Iris-versicolor' has 0 rows in data.csv, and needs 3 at least"),
        ((100, 100, 4), 0.9, "class 'Iris-virginica' has 0 rows in train.csv, and needs 2 at least"),
        ((100, 100, 12), 0.9, "class 'Iris-virginica' has 1 row in train.csv, and needs 2 at least"),
        ((100, 100, 3), 0.05, "class 'Iris-virginica' has 0 rows in test.csv, and needs 1 at least"),
        ((3, 3, 3), 0.3, "The test_size = 2 should be greater or equal to the number of classes = 3"),
    ],
)
def test_a_class_with_too_few_rows_to_learn_and_to_test_is_named(
    tmp_path: Path, problem: Problem, counts: tuple[int, ...], test_share: float, said: str
) -> None:
    (tmp_path / "data.csv").write_text(flowers(*counts), encoding="utf-8")
    with pytest.raises(DataError) as refused:
        preprocess(replace(problem, test_share=test_share), tmp_path)
    assert str(refused.value) == f"{tmp_path / 'data.csv'}: cannot be split: {said}"
    assert list(contents(tmp_path)) == ["data.csv"]


def test_a_few_rows_of_every_class_are_enough(tmp_path: Path, problem: Problem) -> None:
    (tmp_path / "data.csv").write_text(flowers(40, 40, 4), encoding="utf-8")
    preprocess(problem, tmp_path)
    for name in ("train.csv", "test.csv"):
        assert set(read_table(tmp_path / name, problem, indices=True).y.tolist()) == {0, 1, 2}


def test_later_rows_are_set_aside_from_those_to_learn_from(tmp_path: Path, problem: Problem, raw: bytes) -> None:
    (tmp_path / "data.csv").write_bytes(raw)
    counts = preprocess(replace(problem, later_share=0.2), tmp_path)
    assert counts == {"train.csv": 90, "test.csv": 30, "later.csv": 30}
    parts = [_lines(tmp_path / name) for name in counts]
    assert sorted(line for part in parts for line in part) == sorted(
        f"{line.rpartition(',')[0]},{problem.target.classes.index(line.rpartition(',')[2])}"
        for line in raw.decode().splitlines()
    )


def test_another_problem_of_the_same_form_needs_no_other_code(problem: Problem, tmp_path: Path) -> None:
    def load(_: Path | None) -> Table:
        return Table(np.arange(20.0).reshape(10, 2), np.array([0, 1] * 5))

    target = replace(problem.target, classes=("no", "yes"))
    other = replace(problem, name="other", features=problem.features[:2], target=target, load=load)
    assert preprocess(other, tmp_path / "other") == {"train.csv": 8, "test.csv": 2}
    assert json.loads((tmp_path / "other" / "classes.json").read_bytes()) == ["no", "yes"]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
