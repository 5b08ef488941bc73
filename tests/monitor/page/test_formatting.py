"""Panels in words."""

import json
import math

import pytest

from monitor.page.formatting import (
    chart_description,
    formatted,
    formatted_interval,
    link_of,
    parts_of,
    short_id,
    table_rows,
)
from monitor.page.panels import Cell, Column, Kind, Panel
from tests.monitor.page.samples import CLASSES, Shown, column, matrix, pie, with_ends


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0.9666, "ratio", "96.7 %"),
        (1.0, "ratio", "100 %"),
        (0.0, "ratio", "0 %"),
        (-0.021, "ratio", "-2.1 %"),
        (0.0004, "ratio", "<0.1 %"),
        (0.9996, "ratio", ">99.9 %"),
        (1204, "integer", "1,204"),
        (0.123456, "number", "0.123"),
        (999.6, "number", "1,000"),
        (22962.4, "number", "23,000"),
        (1.5e-7, "number", "1.5e-7"),
        (22962.45, "value", "22,962.45"),
        (None, "ratio", "–"),
        ("", "text", "–"),
        ("2026-11-22T06:38:06.123+00:00", "moment", "2026-11-22 06:38:06"),
        ("2026-11-22", "day", "2026-11-22"),
        ("some day", "moment", "some day"),
    ],
)
def test_values_have_the_digits_that_people_can_use(value: Cell, kind: Kind, text: str) -> None:
    assert formatted(value, kind) == text


def panel(*rows: list[Cell]) -> Panel:
    columns = [column("day"), *with_ends("share"), column("run", "link")]
    return Panel(id="a", title="A", drawing="line", columns=columns, rows=list(rows), empty="nothing")


def test_an_interval_stands_beside_its_value_and_its_ends_have_no_columns() -> None:
    [first, second] = table_rows(panel(["mon", 0.967, 0.921, 0.986, None], ["tue", 0.5, None, None, None]))
    assert [cell.text for cell in first] == ["mon", "96.7 % (92.1–98.6)", "–"]
    assert [cell.text for cell in second] == ["tue", "50.0 %", "–"]


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "run", ""])
def test_only_addresses_of_pages_become_links(address: str) -> None:
    [[*_, cell]] = table_rows(panel(["mon", 0.5, None, None, f"run|{address}"]))
    assert cell.url == ""
    assert link_of("a|b|https://mlflow/#/1") == ("a|b", "https://mlflow/#/1")


def test_a_matrix_is_the_darker_the_greater_a_cells_share_of_its_row() -> None:
    rows = table_rows(matrix())
    assert [cell.css for cell in rows[0]] == ["text", "integer right heat-10", *["integer wrong heat-0"] * 2]
    assert [cell.css for cell in rows[1][1:]] == [
        "integer wrong heat-0",
        "integer right heat-9",
        "integer wrong heat-1",
    ]


def test_a_row_of_zeros_in_a_matrix_has_no_shade() -> None:
    empty = matrix().model_copy(update={"rows": [[name, 0, 0, None] for name in CLASSES]})
    assert {cell.css.split()[-1] for row in table_rows(empty) for cell in row[1:]} == {"heat-0"}


def test_a_chart_is_described_by_its_values() -> None:
    assert chart_description(pie()).startswith(
        "Pie chart: Samples by class, Iris-setosa to Iris-virginica. Predicted: "
    )
    assert "Iris-setosa 410, Iris-versicolor 402" in chart_description(pie())
    words = chart_description(
        panel(["mon", 0.9, None, None, None], ["tue", None, None, None, None], ["wed", 0.8, *[None] * 3])
    )
    assert words == "Line chart: A, mon to wed. Share: between 80.0 % and 90.0 %, at the end 80.0 %."
    assert "Share: no values." in chart_description(panel(["mon", None, None, None, None]))


def test_numbers_that_are_not_finite_are_left_out() -> None:
    found = panel(["mon", math.nan, math.inf, -math.inf, None])
    assert found.rows == [["mon", None, None, None, None]]
    assert json.loads(found.model_dump_json())["rows"] == [["mon", None, None, None, None]]


def test_the_ends_of_intervals_and_texts_are_no_series() -> None:
    assert [each.name for each in Shown().bars().series()] == ["precision", "recall"]
    assert Column(name="a", label="A") not in panel().series()


def test_a_long_id_is_shown_by_its_ends_and_a_command_stands_between_backticks() -> None:
    assert short_id("0193c1a2-78af-726a-81cb-776383000007") == "0193c1a2-78af…0007"
    assert [short_id(each) for each in ("p1", "")] == ["p1", "–"]
    assert parts_of("Train one: `make train`") == [("Train one: ", False), ("make train", True)]


def test_an_interval_below_zero_is_read_as_two_numbers() -> None:
    assert formatted_interval(-0.082, -0.001, "ratio") == "-8.2 to -0.1"
    assert formatted_interval(0.1, 0.2, "ratio") == "10.0–20.0"
