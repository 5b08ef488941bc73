"""CSV files: what is read, and how each kind of bad input is told in one line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.problem import Problem, Table, get_problem
from common.table import DataError, csv_line, read_table, table_bytes

IRIS = get_problem("iris")
GOOD = "5.1,3.5,1.4,0.2,Iris-setosa"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables") / "data.csv"


def refusal(path: Path, content: bytes, problem: Problem = IRIS, *, indices: bool = False) -> str:
    """Write the content, and return what reading it is refused with."""
    path.write_bytes(content)
    with pytest.raises(DataError) as refused:
        read_table(path, problem, indices=indices)
    return str(refused.value)


BAD_ROWS = {
    "a missing column": ("5.1,3.5,1.4,Iris-setosa", "column class", "missing"),
    "two missing columns": ("5.1,3.5,Iris-setosa", "column petal_width", "missing"),
    "an extra column": (f"{GOOD},1", "column 6", "one too many"),
    "a word for a number": ("5.1,wide,1.4,0.2,Iris-setosa", "column sepal_width", "'wide' is not a number"),
    "a decimal comma": ("5.1,3.5,1.4,0,2,Iris-setosa", "column 6", "one too many"),
    "no value": ("5.1,3.5,,0.2,Iris-setosa", "column petal_length", "not a number"),
    "NaN": ("nan,3.5,1.4,0.2,Iris-setosa", "column sepal_length", "not a finite number"),
    "infinity": ("5.1,3.5,1.4,-inf,Iris-setosa", "column petal_width", "not a finite number"),
    "a number beyond float64": ("5.1,3.5,1e999,0.2,Iris-setosa", "column petal_length", "not a finite number"),
    "an underscore in a number": ("5.1,3_5,1.4,0.2,Iris-setosa", "column sepal_width", "not a number"),
    "an unknown label": ("5.1,3.5,1.4,0.2,Iris-japonica", "column class", "unknown label 'Iris-japonica'"),
    "an index for a name": ("5.1,3.5,1.4,0.2,0", "column class", "unknown label '0'"),
    "an empty label": ("5.1,3.5,1.4,0.2,", "column class", "empty label"),
    "a blank label": ("5.1,3.5,1.4,0.2,  ", "column class", "empty label"),
    "semicolons": ("5.1;3.5;1.4;0.2;Iris-setosa", "column", "separated by commas?"),
    "tabs": ("5.1\t3.5\t1.4\t0.2\tIris-setosa", "column", "separated by commas?"),
    "a blank line between rows": ("", "column sepal_length", "missing"),
    "a cell without end": ("1" * 200_000 + ",3.5,1.4,0.2,Iris-setosa", "", ""),
    "a quote that is never closed": ('"5.1,3.5,1.4,0.2,Iris-setosa', "column", ""),
}


@pytest.mark.parametrize(("line", "column", "reason"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_refused_in_one_line_with_file_row_and_column(
    path: Path, line: str, column: str, reason: str
) -> None:
    message = refusal(path, f"{GOOD}\n{line}\n{GOOD}\n".encode())
    assert f"{path}, row 2" in message
    assert column in message
    assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"", b"\n", b"  \r\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused_as_empty(path: Path, content: bytes) -> None:
    message = refusal(path, content)
    assert message == f"{path}, row 1, column sepal_length: missing, the file is empty"


def test_a_file_that_is_not_utf8_is_refused_with_the_row(path: Path) -> None:
    message = refusal(path, f"{GOOD}\n{GOOD}\n".encode() + "5.1,3.5,1.4,0.2,Iris-sétosa\n".encode("latin-1"))
    assert message == f"{path}, row 3: not UTF-8 text"


def test_a_missing_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="make data") as refused:
        read_table(tmp_path / "none.csv", IRIS, indices=False)
    assert str(tmp_path / "none.csv") in str(refused.value)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        read_table(tmp_path, IRIS, indices=False)
    assert str(tmp_path) in str(refused.value)


def test_the_row_of_an_error_counts_lines_as_an_editor_does(path: Path) -> None:
    # U+2028 and U+0085 end a line for str.splitlines, not for an editor or `head -n`.
    message = refusal(path, f"{GOOD}\u2028\n{GOOD}\x85\n5.1,3.5,1.4,0.2,Iris-japonica\n".encode())
    assert "row 3, column class: unknown label" in message


def test_indices_are_read_where_indices_are_asked_for(path: Path) -> None:
    path.write_text("5.1,3.5,1.4,0.2,2\n", encoding="utf-8")
    table = read_table(path, IRIS, indices=True)
    assert table.y.tolist() == [2]


@pytest.mark.parametrize("label", ["3", "-1", "1.0", "Iris-setosa"])
def test_a_label_that_is_no_index_is_refused_where_indices_are_asked_for(path: Path, label: str) -> None:
    message = refusal(path, f"5.1,3.5,1.4,0.2,{label}\n".encode(), indices=True)
    assert message == f"{path}, row 1, column class: unknown label {label!r}; known are 0, 1, 2"


@pytest.mark.parametrize(
    "content",
    [
        f"{GOOD}\n{GOOD}\n",
        f"{GOOD}\n{GOOD}",
        f"{GOOD}\n{GOOD}\n\n  \n\n",
        f"{GOOD}\r\n{GOOD}\r\n\r\n",
        f"\ufeff{GOOD}\n{GOOD}\n",
        f"\ufeff{GOOD}\r\n{GOOD}\r\n",
        f" 5.1, 3.5, 1.4, 0.2, Iris-setosa \n{GOOD}\n",
    ],
    ids=["plain", "no last line end", "blank lines at the end", "CRLF", "BOM", "BOM and CRLF", "blanks round cells"],
)
def test_harmless_differences_of_form_are_read_alike(path: Path, content: str) -> None:
    path.write_bytes(content.encode())
    table = read_table(path, IRIS, indices=False)
    np.testing.assert_array_equal(table.X, [[5.1, 3.5, 1.4, 0.2]] * 2)
    np.testing.assert_array_equal(table.y, [0, 0])


def test_a_table_has_the_types_that_it_promises(path: Path) -> None:
    path.write_text(f"{GOOD}\n", encoding="utf-8")
    table = read_table(path, IRIS, indices=False)
    assert (str(table.X.dtype), table.X.shape) == ("float64", (1, 4))
    assert (str(table.y.dtype), table.y.shape) == ("int64", (1,))


def test_a_row_is_written_as_it_stands_in_the_files() -> None:
    assert csv_line([5, 3.5, np.float64(1.4), 1e-7], "Iris-setosa") == "5.0,3.5,1.4,1e-07,Iris-setosa\n"


def test_a_table_is_written_with_the_names_of_its_classes() -> None:
    table = Table(np.array([[5.1, 3.5, 1.4, 0.2]]), np.array([1]))
    assert table_bytes(table, IRIS.target.classes) == b"5.1,3.5,1.4,0.2,Iris-versicolor\n"


numbers = st.floats(allow_nan=False, allow_infinity=False)
rows = st.tuples(numbers, numbers, numbers, numbers, st.integers(0, 2))


@given(rows=st.lists(rows, min_size=1, max_size=20), indices=st.booleans())
@settings(deadline=None)
def test_every_table_that_is_written_reads_back_equal(
    path: Path, rows: list[tuple[float, float, float, float, int]], *, indices: bool
) -> None:
    table = Table(np.array([row[:4] for row in rows]), np.array([row[4] for row in rows]))
    path.write_bytes(table_bytes(table, ["0", "1", "2"] if indices else IRIS.target.classes))
    back = read_table(path, IRIS, indices=indices)
    np.testing.assert_array_equal(back.X, table.X)
    np.testing.assert_array_equal(back.y, table.y)


cells = st.one_of(
    st.sampled_from(["5.1", "0", "-1e9", "nan", "Iris-setosa", "Iris-virginica", "", " ", '"', '""', '"5.1"', "1_0"]),
    st.text(max_size=8),
)
lines = st.lists(cells, max_size=7).map(",".join)
line_ends = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\x0b", "\x1c", "\x85", "\u2028"])
texts = st.lists(st.tuples(lines, line_ends), max_size=6).map(lambda parts: "".join(a + b for a, b in parts))


@given(content=st.one_of(texts.map(str.encode), st.binary()))
@example(content=GOOD.encode("utf-16"))
@example(content=b'"' * 5)
@example(content=b"\x00,\x00,\x00,\x00,\x00")
@settings(deadline=None, max_examples=300)
def test_whatever_a_file_holds_it_is_read_or_refused_in_one_line(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        table = read_table(path, IRIS, indices=False)
    except DataError as error:
        refusals = str(error).splitlines()
    else:
        refusals = []
        assert len(table.X) == len(table.y) > 0
        assert np.isfinite(table.X).all()
        assert set(table.y.tolist()) <= {0, 1, 2}
    assert len(refusals) <= 1
    assert all(line.startswith(f"{path}, row ") for line in refusals)
