"""A file of a problem is made from a CSV file that nobody has prepared; its columns are looked at first."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # pandas ships no types
import pytest

from common.bundle.export import export_tested
from common.problem import Problem, ProblemError
from common.table import DataError, read_table
from scripts.new_problem.__main__ import main
from scripts.new_problem.looking import Look, look
from scripts.new_problem.reading import read
from scripts.new_problem.writing import check, check_name, name_of, put, text_of
from tests.programs import output_of

ROWS = 300


def orders() -> pd.DataFrame:
    """Return rows with every kind of column that there is something to say about."""
    rng = np.random.default_rng(0)
    late = rng.random(ROWS) < 0.3
    cells = pd.DataFrame(
        {
            "order id": rng.permutation(9 * ROWS)[:ROWS],
            "row": np.arange(ROWS),
            "weight (kg)": np.round(rng.gamma(2, 3, ROWS), 2),
            "change": np.round(rng.normal(late * 2.0, 1), 3),
            "colour": rng.choice(["red", "white", 'dark "x" blue'], ROWS),
            "when": pd.date_range("2024-01-01", periods=ROWS).strftime("%d.%m.%Y"),
            "constant": "x",
            "mostly missing": np.where(rng.random(ROWS) < 0.5, "NA", "3"),
            "comment": [f"text {number}" for number in range(ROWS)],
            "refunded": np.where(late, "yes", "no"),
            "class_name": rng.integers(0, 3, ROWS),
            "town": rng.choice([f"Town {number} by the sea" for number in range(40)], ROWS),
            "street": rng.choice([f"Street {number}" for number in range(120)], ROWS),
            "length": np.where(rng.random(ROWS) < 0.03, "long", "4.5"),
            "status": np.where(late, "late", "in time"),
        }
    ).astype(str)
    cells.loc[5, "change"] = ""
    cells.loc[0, "status"] = "lost"
    cells.loc[1, "status"] = "?"
    cells.loc[9] = cells.loc[8]
    return cells


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "My orders.csv"
    orders().to_csv(path, index=False)
    return path


@pytest.fixture
def found(file: Path) -> Look:
    return look(read(file), "status")


def problem_of(text: str) -> Problem:
    module = ModuleType("problems.my_orders")
    exec(compile(text, "my_orders.py", "exec"), module.__dict__)  # noqa: S102  # the text is our own
    problem: Problem = module.__dict__["PROBLEM"]
    return problem


def test_each_column_is_a_feature_or_is_left_out_with_a_reason(found: Look) -> None:
    assert [(each.name, each.unit) for each in found.numbers] == [("weight (kg)", "kg"), ("change", "?")]
    assert [each.name for each in found.names] == ["colour", "refunded", "town"]
    assert found.names[0].names == ('dark "x" blue', "red", "white")
    assert found.classes == ("in time", "late")
    assert found.left_out == {
        "order id": "every row has its own number: an identifier",
        "row": "every row has its own number: an identifier",
        "when": "dates: make numbers of what matters in them, such as the month or the days since an event",
        "constant": "always 'x'",
        "mostly missing": f"missing in {(orders()['mostly missing'][2:] == 'NA').mean():.0%} of the rows",
        "comment": "nearly every row has its own: an identifier or free text",
        "class_name": "a feature cannot have the name 'class_name', which the lab uses itself: rename the column",
        "street": f"{orders()['street'][2:].nunique()} different names: group them to at most 100",
        "length": "numbers, but for 'long': correct such cells",
    }


def test_limits_reach_twice_as_far_as_the_numbers_and_not_below_zero_without_reason(found: Look) -> None:
    weight, change = found.numbers
    cells = orders()["weight (kg)"].astype(float)
    assert (weight.minimum, weight.maximum) == (0.0, 50.0)
    assert 20 < 2 * cells.max() <= 50
    assert change.minimum < 0 < change.maximum


def test_rows_that_cannot_be_learnt_are_left_out_and_counted(found: Look) -> None:
    assert len(found.rows) == ROWS - 3
    assert not found.rows.isna().to_numpy().any()
    assert found.notes == (
        "rows left out because they have no class: 1",
        "rows left out because a cell of a feature is missing: 1",
        "rows that repeat another row, so that the same row may be learnt and tested: 1",
        "class 'lost' is left out with its rows (1, and 5 are the least): collect more",
    )


def test_a_column_that_gives_the_class_alone_is_suspected_and_no_other(found: Look) -> None:
    assert found.suspects == {"refunded": 1.0}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("weight (kg)", "holds quantities"),
        ("when", "holds dates"),
        ("comment", "different texts: a target has at most 20"),
        ("constant", "has 1 classes with at least 5 rows: it needs two"),
        ("nothing", "there is no column 'nothing': the header has order id, row, "),
    ],
)
def test_a_target_that_is_no_class_is_refused_with_advice(file: Path, target: str, message: str) -> None:
    with pytest.raises(DataError, match=message.replace("(", r"\(").replace(")", r"\)")):
        look(read(file), target)


def test_a_table_without_a_usable_column_is_refused_with_the_reasons() -> None:
    cells = pd.DataFrame({"a": ["x"] * 20, "class": ["p", "q"] * 10})
    with pytest.raises(DataError, match="no column is left to learn from: a: always 'x'"):
        look(cells, "class")


def test_semicolons_and_decimal_commas_are_read_as_commas_and_points(tmp_path: Path, found: Look) -> None:
    numbers = orders().replace(regex={r"^(-?\d+)\.(\d+)$": r"\1,\2"})
    numbers.to_csv(tmp_path / "other.csv", index=False, sep=";", encoding="utf-8-sig")
    assert "," in numbers["weight (kg)"][0]
    pd.testing.assert_frame_equal(look(read(tmp_path / "other.csv"), "status").rows, found.rows)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,a\n1,2\n", "row 1, column a: twice in the header"),
        (b"a,,b\n1,2,3\n", "row 1, column 2: no name"),
        (b"a,b\n\xff\xfe,1\n", "is not UTF-8 text: save it as `CSV UTF-8`"),
        (b'a,b\n1,"2\n', "cannot be read: "),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(path)
    with pytest.raises(DataError, match="cannot be read: No such file or directory"):
        read(tmp_path / "absent.csv")


def test_the_written_problem_reads_its_rows_and_trains_a_model_that_onnx_answers_alike(
    found: Look, tmp_path: Path
) -> None:
    text = text_of("my_orders", found)
    problem = problem_of(text)
    check("my_orders", text, found, tmp_path)
    train = read_table(tmp_path / "train.csv", problem, indices=True)
    test = read_table(tmp_path / "test.csv", problem, indices=True)
    assert len(train.y) + len(test.y) == ROWS - 3
    model = problem.candidates()[-1].fit(train.X, train.y)
    assert (model.predict(test.X) == test.y).mean() > 0.95
    export_tested(model, problem, train, test)


def test_the_written_file_is_in_the_style_of_the_project(found: Look, tmp_path: Path) -> None:
    path = tmp_path / "problems" / "my_orders.py"
    path.parent.mkdir()
    (path.parent / "__init__.py").touch()
    path.write_text(text_of("my_orders", found), encoding="utf-8")
    for command in (("check", "--no-cache"), ("format", "--no-cache", "--check")):
        output_of([sys.executable, "-m", "ruff", *command, "--config", "pyproject.toml", str(path)], {}, Path.cwd())


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "lab"
    (folder / "problems").mkdir(parents=True)
    (folder / "problems" / "wine_2.py").touch()
    (folder / "data" / "cars").mkdir(parents=True)
    (folder / "params.yaml").write_text("problems:\n  - iris\n", encoding="utf-8")
    yield folder
    shutil.rmtree(folder)


def test_data_problem_and_its_line_are_written_together_or_not_at_all(found: Look, project: Path) -> None:
    text = text_of("my_orders", found)
    put("my_orders", text, found, project)
    assert (project / "params.yaml").read_text(encoding="utf-8") == "problems:\n  - iris\n  - my_orders\n"
    assert (project / "problems" / "my_orders.py").read_text(encoding="utf-8") == text
    read_table(project / "data" / "my_orders" / "data.csv", problem_of(text), indices=False)
    (project / "problems" / "other.py").mkdir()
    with pytest.raises(OSError, match=r"other\.py"):
        put("other", text, found, project)
    assert not (project / "data" / "other").exists()
    assert "other" not in (project / "params.yaml").read_text(encoding="utf-8")


def test_a_name_that_is_taken_or_is_no_name_is_refused(project: Path) -> None:
    assert name_of(Path("/x/My orders (2).csv")) == "my_orders_2"
    check_name("my_orders_2", project)
    for taken in ("wine_2", "wine2", "cars"):
        with pytest.raises(ProblemError, match="already: choose another name with --name"):
            check_name(taken, project)
    with pytest.raises(ProblemError, match="is no name of a problem"):
        check_name("2wine", project)


def test_a_fault_ends_the_command_with_one_line_and_writes_nothing(file: Path) -> None:
    before = Path("params.yaml").read_bytes()
    with pytest.raises(SystemExit, match="new_problem: column 'when' holds dates"):
        main([str(file), "--target", "when"])
    with pytest.raises(SystemExit, match=r"new_problem: there is .*iris.py already"):
        main([str(file), "--target", "status", "--name", "iris"])
    assert Path("params.yaml").read_bytes() == before
    assert not Path("problems/my_orders.py").exists()
