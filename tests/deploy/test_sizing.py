"""The sizes of docs/deploy.md follow from the figures of docs/benchmarks.md."""

import ast
import re

import pytest

from common.settings import PROJECT
from deploy.sizing import (
    BEGIN,
    BENCHMARKS,
    END,
    PAGE,
    RATES,
    Figures,
    FiguresError,
    read_figures,
    size,
    table,
    with_table,
)

FIGURES = Figures(
    core=60e-6, core_in_batches=6e-6, core_of_database=30e-6, written=16_000, disk=500, log=700, network=1_000
)
STORE = PROJECT / "common" / "store"
PARTS = ("api", "common", "containers", "finetune", "monitor", "problems", "scripts", "training", "trust")
# A room may give the log, or a part that stands for it, another name; these are the names that they use.
HANDING = re.compile(r"\b_?(?:predictions|log|part|known_rows|retention)\.write(?:_some)?\b")


def test_the_table_on_the_page_is_the_one_that_the_benchmarks_give() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page, table(read_figures(BENCHMARKS.read_text(encoding="utf-8")))) == page


def test_a_rate_needs_its_share_of_each_figure() -> None:
    found = size(FIGURES, 10_000)
    assert (found.cores, found.cores_in_batches, found.replicas) == pytest.approx((1.0, 0.1, 2))
    assert (found.share, found.cores_of_database) == pytest.approx((0.625, 0.3))
    assert (found.disk, found.log, found.network) == (5e6, 7e6, 1e7)


def test_a_stream_begins_at_half_of_what_one_postgresql_writes_with_a_writer_for_each_half() -> None:
    assert [size(FIGURES, rate).partitions for rate in (7_999, 8_000, 8_001, 16_001, 100_000)] == [0, 0, 2, 3, 13]


def test_twice_the_rate_needs_twice_as_much_and_never_less_than_two_replicas() -> None:
    one, two = size(FIGURES, 100_000), size(FIGURES, 200_000)
    assert two.replicas == 2 * one.replicas == 20
    assert two.disk == 2 * one.disk
    assert size(FIGURES, 1).replicas == 2


def test_the_table_has_a_column_for_each_rate() -> None:
    header = table(FIGURES).splitlines()[0]
    assert re.findall(r"[\d,]+(?= a second)", header) == [f"{rate:,}" for rate in RATES]


@pytest.mark.parametrize("title", ["The cost of a prediction on PostgreSQL", "Writing predictions and feedback"])
def test_a_page_without_a_table_is_an_error_that_names_it(title: str) -> None:
    page = BENCHMARKS.read_text(encoding="utf-8").replace(f"## {title}\n", "## Another\n")
    with pytest.raises(FiguresError, match=title):
        read_figures(page)


def test_a_column_without_a_number_is_an_error_that_names_it() -> None:
    page = BENCHMARKS.read_text(encoding="utf-8").replace("write-ahead log | network", "journal | network")
    with pytest.raises(FiguresError, match="write-ahead log"):
        read_figures(page)


def test_a_page_without_marks_is_an_error_and_text_around_the_marks_stays() -> None:
    assert with_table(f"before\n{BEGIN}old\n{END} after", "new") == f"before\n{BEGIN}new\n{END} after"
    with pytest.raises(FiguresError, match="has no lines"):
        with_table("no marks", "new")


def inserts(node: ast.AST) -> bool:
    """Return whether a call hands rows, and not a correction, to `insert` of a part of the store."""
    match node:
        case ast.Call(func=ast.Attribute(attr="insert"), args=[ast.Name(id="connection"), _]):
            return "suggestion" not in ast.unparse(node)
    return False


def test_the_store_has_three_ways_into_the_prediction_log() -> None:
    ways = {
        f"{path.stem}.{function.name}"
        for path in STORE.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef) and any(map(inserts, ast.walk(function)))
    }
    assert ways == {"predictions.write", "retention.write_some", "known_rows.write"}


def test_the_page_names_every_module_that_hands_rows_to_the_prediction_log() -> None:
    handing = {
        str(path.relative_to(PROJECT))
        for part in PARTS
        for path in (PROJECT / part).rglob("*.py")
        if STORE not in path.parents and HANDING.search(path.read_text(encoding="utf-8"))
    }
    page = PAGE.read_text(encoding="utf-8").partition("## Sizes on paper")[2]
    assert {*re.findall(r"`(\w+/[\w/]+\.py)`", page)} == handing
    assert "api/log_sampling/sampled_log.py" in handing


def test_one_line_of_the_prediction_log_hands_on_all_answers() -> None:
    [line] = re.findall(r"`(self\..+?)`", PAGE.read_text(encoding="utf-8"))
    module = (PROJECT / "api" / "inference" / "prediction_log.py").read_text(encoding="utf-8")
    assert module.count(line) == len(HANDING.findall(module)) == 1
