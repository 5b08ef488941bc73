"""Cells that a spreadsheet would run as formulas, in all the disguises that spreadsheets see through."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.csv_cells import harmless


@pytest.mark.parametrize("sign", "=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b")
@pytest.mark.parametrize("before", ["", " ", "\xa0", "\u3000", "\ufeff", "\u200b", "\x00", " \t ", "\n"], ids=repr)
def test_no_cell_begins_with_a_sign_whatever_stands_before_it(sign: str, before: str) -> None:
    assert harmless(f"{before}{sign}1+1").startswith("'")


@pytest.mark.parametrize("cell", ["\ttext", "\rtext", "\ntext"], ids=repr)
def test_no_cell_begins_with_a_tab_or_the_end_of_a_line(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cut", [";", "|", "\t", "\r", "\n"], ids=repr)
def test_a_cell_that_a_program_cuts_in_two_has_no_formula_in_its_second_half(cut: str) -> None:
    assert harmless(f"a{cut}=1+1{cut} @x") == f"a{cut}'=1+1{cut}' @x"


@example(['x;"=1+1;"', "a"])
@given(st.lists(st.text("ab1;,|\t\n\r\"'=+-@\uff1d \xa0\u200b", max_size=8), min_size=1, max_size=3))
def test_however_a_program_cuts_the_file_no_cell_begins_with_a_sign(cells: list[str]) -> None:
    file = io.StringIO()
    csv.writer(file).writerow([harmless(cell) for cell in cells])
    for cut in ",;|\t":
        for row in csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=cut):
            assert not any(cell.lstrip(" \t\r\n\xa0\u200b").startswith(tuple("=+-@\uff1d")) for cell in row)


@pytest.mark.parametrize(
    "cell", ["Iris-setosa", "a = b", "a; b", "1-2", "", "e@mail", 0, -0.25, None, "a|b", "x\ny", "'=1"], ids=repr
)
def test_other_cells_stay_as_they_are(cell: object) -> None:
    assert harmless(cell) == cell
