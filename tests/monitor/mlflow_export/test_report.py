"""Evidently's report: a page of its own, made where evidently is installed, and imported only there."""

import json
import os
import re

import pytest

from tests.programs import run_python

# In a process of its own: so is the real one, and evidently would stay in this one.
WRITING = """
import json, sys, warnings
warnings.simplefilter("error")
from monitor.mlflow_export import report
assert "evidently" not in sys.modules
def rows(count, confidence):
    answers = [{"class_name": "xy"[i % 2], "confidence": confidence} for i in range(count)]
    return [{**each, "features": {"size": i % 7, "town": "ab"[i % 2]}} for i, each in enumerate(answers)]
cases = {"many": (600, 0.5), "one": (1, None)}
def pages(day):
    return [report.html_report(day, day_before) for day_before in (day, [])]
print(json.dumps({name: pages(rows(*case)) for name, case in cases.items()}))
"""


@pytest.fixture(scope="module")
def pages() -> dict[str, list[str]]:
    """Pages of a day with many rows, and of one with one row and no confidence: after another day, and the first."""
    done = run_python("-c", WRITING, environment={**os.environ, "DO_NOT_TRACK": "1"})
    assert (done.stderr, done.returncode) == ("", 0)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_a_report_is_one_page_that_needs_nothing_else(pages: dict[str, list[str]]) -> None:
    for page in (page for both in pages.values() for page in both):
        assert "<html" in page
        assert not re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=[\"']?http", page)


def test_the_report_covers_features_and_answers(pages: dict[str, list[str]]) -> None:
    for page in pages["many"]:
        assert all(name in page for name in ("size", "town", "predicted class", "confidence"))


def test_the_report_covers_drift_where_there_is_a_day_before(pages: dict[str, list[str]]) -> None:
    for after_another, first in pages.values():
        assert "Dataset Drift" in after_another
        assert "Dataset Drift" not in first


def test_a_column_without_values_is_left_out(pages: dict[str, list[str]]) -> None:
    for page in pages["one"]:
        assert "size" in page
        assert "confidence" not in page
