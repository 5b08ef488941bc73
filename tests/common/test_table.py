"""CSV files: reading, writing, and one line of error for each kind of bad input."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.problem import LARGEST, Category, Number, Problem, Table, Target, get_problem
from common.table import DataError, csv_line, read_table, table_bytes
from tests.common.refusals import refused

IRIS = get_problem("iris")
GOOD = "5.1,3.5,1.4,0.2,Iris-setosa"
MIXED = replace(
    IRIS,
    name="mixed",
    features=(
        Category("Destination", "where to", ("ITALY", "KOREA, REPUBLIC OF"), example="ITALY"),
        Number("Net (value)", "dollars", "price", minimum=-100.0, maximum=100.0, example=1.0),
        Category("Kind of agency", "who sold", ("a", "b"), example="a"),
    ),
    target=Target("Claim", ("No", "Yes"), spellings={"0": "No", "1": "Yes"}),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables") / "data.csv"


def read(path: Path, content: str | bytes, problem: Problem = IRIS, *, indices: bool = False) -> Table:
    """Write the content, and return the table that is read."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path, problem, indices=indices)


def refusal(path: Path, content: bytes, problem: Problem = IRIS, *, indices: bool = False) -> str:
    """Write the content, and return the one line with which it is refused."""
    with refused(DataError, re.escape(f"{path}")) as error:
        read(path, content, problem, indices=indices)
    return str(error.value)


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
    "a number beyond float32": ("5.1,3.5,-1e39,0.2,Iris-setosa", "column petal_length", "'-1e39' is beyond 3.4e+38"),
    "an underscore in a number": ("5.1,3_5,1.4,0.2,Iris-setosa", "column sepal_width", "not a number"),
    "an unknown label": ("5.1,3.5,1.4,0.2,Iris-japonica", "column class", "unknown label 'Iris-japonica'"),
    "an index for a name": ("5.1,3.5,1.4,0.2,0", "column class", "unknown label '0'"),
    "an empty label": ("5.1,3.5,1.4,0.2,", "column class", "empty label"),
    "a blank label": ("5.1,3.5,1.4,0.2,  ", "column class", "empty label"),
    "semicolons": ("5.1;3.5;1.4;0.2;Iris-setosa", "column", "separated by commas?"),
    "tabs": ("5.1\t3.5\t1.4\t0.2\tIris-setosa", "column", "separated by commas?"),
    "a blank line between rows": ("", "column sepal_length", "missing"),
    "a cell without end": ("1" * 200_000 + ",3.5,1.4,0.2,Iris-setosa", "column sepal_length", "111…"),
    "a label without end": ("5.1,3.5,1.4,0.2," + "1" * 200_000, "column class", "111…"),
    "a quote that is never closed": ('5.1,"3.5,1.4,0.2,Iris-setosa', "column 2", "a quote that is never closed"),
    "a quote too many": ('5.1,"3.5",1.4,0.2,"Iris"-setosa', "column", "expected after"),
    "a line break in a number": ('5.1,3.5,"1\n.4",0.2,Iris-setosa', "column petal_length", "is not a number"),
}


@pytest.mark.parametrize(("line", "column", "reason"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_refused_in_one_line_with_file_row_and_column(
    path: Path, line: str, column: str, reason: str
) -> None:
    message = refusal(path, f"{GOOD}\n{line}\n{GOOD}\n".encode())
    assert f"{path}, row 2" in message
    assert column in message
    assert reason in message
    assert len(message) < len(str(path)) + 250


@pytest.mark.parametrize("content", [b"", b"\n", b"  \r\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused_as_empty(path: Path, content: bytes) -> None:
    message = refusal(path, content)
    assert message == f"{path}, row 1, column sepal_length: missing, the file is empty"


def test_a_file_that_is_not_utf8_is_refused_with_the_row(path: Path) -> None:
    message = refusal(path, f"{GOOD}\n{GOOD}\n".encode() + "5.1,3.5,1.4,0.2,Iris-sétosa\n".encode("latin-1"))
    assert message == f"{path}, row 3: not UTF-8 text"


@pytest.mark.parametrize(("name", "said"), [("none.csv", "none.csv.*make data"), ("", "")])
def test_a_missing_file_and_a_folder_in_its_place_are_refused(tmp_path: Path, name: str, said: str) -> None:
    with refused(DataError, re.escape(f"{tmp_path}") + f".*{said}"):
        read_table(tmp_path / name, IRIS, indices=False)


def test_the_row_of_an_error_counts_lines_as_an_editor_does(path: Path) -> None:
    # U+2028 and U+0085 end a line for str.splitlines, not for an editor or `head -n`.
    message = refusal(path, f"{GOOD}\u2028\n{GOOD}\x85\n5.1,3.5,1.4,0.2,Iris-japonica\n".encode())
    assert "row 3, column class: unknown label" in message


def test_indices_are_read_where_indices_are_asked_for(path: Path) -> None:
    assert read(path, "5.1,3.5,1.4,0.2,2\n", indices=True).y.tolist() == [2]


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
    table = read(path, content)
    np.testing.assert_array_equal(table.X, [[5.1, 3.5, 1.4, 0.2]] * 2)
    np.testing.assert_array_equal(table.y, [0, 0])
    assert (str(table.X.dtype), str(table.y.dtype)) == ("float64", "int64")


def test_a_row_is_written_as_it_stands_in_the_files() -> None:
    assert csv_line([5, 3.5, np.float64(1.4), 1e-7], "Iris-setosa") == "5.0,3.5,1.4,1e-07,Iris-setosa\n"


def test_a_table_is_written_with_the_names_of_its_classes() -> None:
    table = Table(np.array([[5.1, 3.5, 1.4, 0.2]]), np.array([1]))
    assert table_bytes(table, IRIS.target.classes) == b"5.1,3.5,1.4,0.2,Iris-versicolor\n"


numbers = st.floats(-LARGEST, LARGEST)
rows = st.tuples(numbers, numbers, numbers, numbers, st.integers(0, 2))


@given(rows=st.lists(rows, min_size=1, max_size=20), indices=st.booleans())
@settings(deadline=None)
def test_every_table_that_is_written_reads_back_equal(
    path: Path, rows: list[tuple[float, float, float, float, int]], *, indices: bool
) -> None:
    table = Table(np.array([row[:4] for row in rows]), np.array([row[4] for row in rows]))
    content = table_bytes(table, ["0", "1", "2"] if indices else IRIS.target.classes)
    back = read(path, content, indices=indices)
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
def test_any_content_is_read_or_refused_in_one_line(path: Path, content: bytes) -> None:
    try:
        table = read(path, content)
    except DataError as error:
        refusals = str(error).splitlines()
    else:
        refusals = []
        assert len(table.X) == len(table.y) > 0
        assert np.isfinite(table.X).all()
        assert set(table.y.tolist()) <= {0, 1, 2}
    assert len(refusals) <= 1
    assert all(line.startswith(f"{path}, row ") for line in refusals)


def mixed(path: Path, *lines: str) -> Table:
    """Write the lines, and return the table that is read."""
    return read(path, "".join(f"{line}\n" for line in lines), MIXED)


HEADERS = {
    "in the problem's order": ("Destination,Net (value),Kind of agency,Claim", "ITALY,-2.5,b,Yes"),
    "in another order": ("Claim,Kind of agency,Net (value),Destination", "Yes,b,-2.5,ITALY"),
    "with columns that are not read": (
        "ID,Claim,Gender,Net (value),Kind of agency,x,Destination",
        "7,Yes,,-2.5,b,?,ITALY",
    ),
    "with blanks round the names": (" Destination , Net (value),Kind of agency , Claim", " ITALY , -2.5 ,b, Yes "),
    "in quotes": ('"Destination","Net (value)","Kind of agency","Claim"', '"ITALY","-2.5","b","Yes"'),
    "no header": ("ITALY,-2.5,b,Yes", "ITALY,-2.5,b,Yes"),
}


@pytest.mark.parametrize(("header", "line"), HEADERS.values(), ids=HEADERS.keys())
def test_columns_are_found_by_a_header_in_any_order(path: Path, header: str, line: str) -> None:
    table = mixed(path, header, line)
    assert table.X.dtype == object
    assert table.X.tolist() == [["ITALY", -2.5, "b"]] * len(table.y)
    assert table.y.tolist() == [1] * (2 if header == line else 1)


def test_a_header_after_a_byte_order_mark_and_with_crlf_is_a_header(path: Path) -> None:
    table = read(path, "\ufeffClaim,Destination,Net (value),Kind of agency\r\nNo,ITALY,1,a\r\n", MIXED)
    assert table.X.tolist() == [["ITALY", 1.0, "a"]]


def test_a_header_helps_a_problem_whose_features_are_all_numbers(path: Path) -> None:
    table = read(path, "class,petal_width,petal_length,Id,sepal_width,sepal_length\nIris-setosa,0.2,1.4,1,3.5,5.1\n")
    assert (str(table.X.dtype), table.X.tolist()) == ("float64", [[5.1, 3.5, 1.4, 0.2]])


@pytest.mark.parametrize(
    ("lacks", "header"),
    [
        ("Net (value)", "Destination, Net value, Kind of agency, Claim"),
        ("Claim", "Destination, Net (value), Kind of agency, Claimed"),
    ],
)
def test_a_column_that_the_header_lacks_is_named_beside_the_header(path: Path, lacks: str, header: str) -> None:
    message = refusal(path, f"{header.replace(', ', ',')}\nITALY,1,a,No\n".encode(), MIXED)
    assert message == f"{path}, row 1, column {lacks}: missing in the header, which has {header}"


@pytest.mark.parametrize("line", ["ITALY,1,a", "ITALY,1,a,No,1", "", "ITALY"])
def test_a_row_that_does_not_fit_the_header_is_refused(path: Path, line: str) -> None:
    message = refusal(
        path, f"Destination,Net (value),Kind of agency,Claim\nITALY,1,a,No\n{line}\nITALY,1,a,No".encode(), MIXED
    )
    assert message.startswith(f"{path}, row 3: ")
    assert message.endswith("columns, but the header has 4")


NOTES = {
    "a line break": '"first\nsecond, ""third"""',
    "CRLF": '"first\r\nsecond"',
    "200 kB of text": "x" * 200_000,
    "200 kB in quotes": '"' + "x, " * 70_000 + '"',
}


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES.keys())
def test_a_column_that_is_not_read_may_hold_any_text(path: Path, note: str) -> None:
    header = "Notes,Destination,Net (value),Kind of agency,Claim"
    table = read(path, f"{header}\n{note},ITALY,1,a,No\n{note},ITALY,2,b,Yes\n", MIXED)
    assert table.X.tolist() == [["ITALY", 1.0, "a"], ["ITALY", 2.0, "b"]]


def test_an_error_after_a_cell_of_several_lines_names_the_row_and_its_first_line(path: Path) -> None:
    header = "Notes,Destination,Net (value),Kind of agency,Claim"
    message = refusal(path, f'{header}\n"a\nb\nc",ITALY,1,a,No\n"d\ne",ITALY,n/a,a,No\n'.encode(), MIXED)
    assert message == f"{path}, row 3 (line 5), column Net (value): 'n/a' is not a number"
    message = refusal(path, f'{header}\n"a\nb",ITALY,1,a,No\nc,"ITALY,1,a,No\nd,ITALY,1,a,No'.encode(), MIXED)
    assert message == f"{path}, row 3 (line 4), column 2: a quote that is never closed"


@pytest.mark.parametrize("name", ["a\nb", "a\x00b", "a\u2028b"])
def test_a_name_that_the_api_would_refuse_is_refused_in_a_file(path: Path, name: str) -> None:
    message = refusal(path, f'ITALY,1,a,No\nITALY,1,"{name}",No\n'.encode(), MIXED)
    assert message == f"{path}, row 2, column Kind of agency: {name!r} has a line break or a control character"


@pytest.mark.parametrize("name", ["Destination", "Claim"])
def test_a_column_that_is_there_twice_is_refused(path: Path, name: str) -> None:
    header = f"Destination,Net (value),{name},Kind of agency,Claim"
    message = refusal(path, f"{header}\nITALY,1,x,a,No\n".encode(), MIXED)
    assert message == f"{path}, row 1, column {name}: twice in the header: rename or delete one of the two"


def test_columns_that_are_not_read_may_have_the_same_name(path: Path) -> None:
    table = mixed(path, "x,Destination,x,Net (value),Kind of agency,Claim", "1,ITALY,2,3,a,No")
    assert table.X.tolist() == [["ITALY", 3.0, "a"]]


def test_a_header_alone_is_an_empty_file(path: Path) -> None:
    assert "the file is empty" in refusal(path, b"Destination,Net (value),Kind of agency,Claim\n", MIXED)


@pytest.mark.parametrize(("word", "label"), [("No", 0), ("Yes", 1), ("0", 0), ("1", 1), (" 1 ", 1)])
def test_classes_may_be_spelt_in_other_ways_in_raw_data(path: Path, word: str, label: int) -> None:
    assert mixed(path, f"ITALY,1,a,{word}").y.tolist() == [label]


@pytest.mark.parametrize("word", ["yes", "2", "1.0", "True"])
def test_a_spelling_that_the_problem_does_not_list_is_refused_with_the_known_ones(path: Path, word: str) -> None:
    message = refusal(path, f"ITALY,1,a,{word}\n".encode(), MIXED)
    assert message == f"{path}, row 1, column Claim: unknown label {word!r}; known are No, Yes, 0, 1"


def labelled(labels: list[str]) -> bytes:
    return "".join(f"ITALY,1,a,{label}\n" for label in labels).encode()


@pytest.mark.parametrize(
    "labels",
    [["152.87"], ["151", "75.0", "141.5"], [str(number) for number in range(100, 121)]],
    ids=["a fraction", "a fraction further on", "too many different numbers"],
)
def test_a_target_of_quantities_is_refused_otherwise_than_an_unknown_class(path: Path, labels: list[str]) -> None:
    message = refusal(path, labelled(labels), MIXED)
    assert message == (
        f"{path}, row 1, column Claim: unknown label {labels[0]!r}; known are No, Yes, 0, 1; "
        "the lab predicts classes, and these labels are quantities"
    )


@pytest.mark.parametrize("labels", [["2"] * 40, ["nan"] * 40, ["2", "3", "4.0"], ["2", "Yes"]])
def test_numbers_that_can_be_classes_are_taken_for_unknown_classes(path: Path, labels: list[str]) -> None:
    assert refusal(path, labelled(labels), MIXED).endswith("known are No, Yes, 0, 1")


def test_a_later_row_that_cannot_be_read_hides_no_unknown_label(path: Path) -> None:
    assert "row 1, column Claim: unknown label '1.5'" in refusal(path, b"ITALY,1,a,1.5\nITALY\n", MIXED)


def test_blanks_around_classes_spellings_and_names_do_not_count_as_in_the_adult_data(path: Path) -> None:
    adult = replace(
        IRIS,
        name="adult",
        features=(
            Number(" age", "years", "of the person", minimum=0.0, maximum=120.0, example=39.0),
            Category(" workclass", "employer", (" State-gov", " Private"), example=" Private"),
        ),
        target=Target(" income", (" <=50K", " >50K"), spellings={" <=50K.": " <=50K", ">50K. ": ">50K"}),
    )
    table = read(path, "age, workclass, income\n39, State-gov, <=50K\n50, Private, >50K.\n", adult)
    assert (table.X.tolist(), table.y.tolist()) == ([[39.0, "State-gov"], [50.0, "Private"]], [0, 1])
    assert (adult.columns, adult.target.classes) == (("age", "workclass"), ("<=50K", ">50K"))
    workclass = adult.features[1]
    assert workclass.kind == "category"
    assert (workclass.categories, workclass.example) == (("State-gov", "Private"), "Private")


def test_other_spellings_mean_nothing_where_indices_are_asked_for(path: Path) -> None:
    assert "known are 0, 1" in refusal(path, b"ITALY,1,a,Yes\n", MIXED, indices=True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (",1,a,No", "column Destination: empty"),
        ("ITALY,1,  ,No", "column Kind of agency: empty"),
        ('ITALY,1,"",No', "column Kind of agency: empty"),
        ("ITALY,,a,No", "column Net (value): '' is not a number"),
        ("1,ITALY,a,No", "column Net (value): 'ITALY' is not a number"),
    ],
)
def test_a_bad_cell_of_a_mixed_row_is_refused_with_its_column(path: Path, line: str, said: str) -> None:
    assert refusal(path, f"ITALY,1,a,No\n{line}\n".encode(), MIXED) == f"{path}, row 2, {said}"


def test_text_with_commas_and_quotes_is_read(path: Path) -> None:
    table = mixed(path, '"KOREA, REPUBLIC OF",1,"the ""best"" one",No', "LAO PEOPLE'S,2,7,Yes")
    assert table.X.tolist() == [["KOREA, REPUBLIC OF", 1.0, 'the "best" one'], ["LAO PEOPLE'S", 2.0, "7"]]


def test_a_row_of_text_is_written_as_spreadsheets_write_it() -> None:
    assert (
        csv_line(["KOREA, REPUBLIC OF", 1, 'the "best" one'], "0") == '"KOREA, REPUBLIC OF",1.0,"the ""best"" one",0\n'
    )


words = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1).map(str.strip).filter(bool)
mixed_rows = st.tuples(words, numbers, words, st.integers(0, 1))


@given(rows=st.lists(mixed_rows, min_size=1, max_size=10), indices=st.booleans())
@example(
    rows=[("a,b", 1.0, '"', 0), ('","', 1.0, "'", 1), ("0", -0.0, "Claim", 0), ("é ß", 1e-300, "=1+1", 1)],
    indices=False,
)
@settings(deadline=None)
def test_every_mixed_table_that_is_written_reads_back_equal(
    path: Path, rows: list[tuple[str, float, str, int]], *, indices: bool
) -> None:
    table = Table(np.array([row[:3] for row in rows], dtype=object), np.array([row[3] for row in rows]))
    content = table_bytes(table, ["0", "1"] if indices else MIXED.target.classes)
    back = read(path, content, MIXED, indices=indices)
    assert back.X.tolist() == table.X.tolist()
    np.testing.assert_array_equal(back.y, table.y)
