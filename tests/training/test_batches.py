"""The table of the batches that `python main.py` prints."""

import math
from types import SimpleNamespace

import pytest

from training.batches import show_batches


def lines(capsys: pytest.CaptureFixture[str], **attributes: object) -> list[list[str]]:
    """Return the cells of the lines that are printed about a model."""
    show_batches(SimpleNamespace(**attributes))
    return [line.replace("│", " ").replace("┃", " ").split() for line in capsys.readouterr().out.splitlines()]


def test_each_batch_is_a_line_with_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    curves = {"batch_log_loss": [0.5, 0.25], "batch_auc": [math.nan, 0.9375], "loss": [1.0, 0.9, 0.8]}
    shown = lines(capsys, curves_=curves)
    assert ["batch", "log-loss", "AUC"] in shown
    assert [line for line in shown if line and line[0] in {"1", "2"}] == [
        ["1", "0.5000", "nan"],
        ["2", "0.2500", "0.9375"],
    ]


@pytest.mark.parametrize("attributes", [{}, {"curves_": {}}, {"curves_": {"loss": [0.1]}}, {"loss_curve_": [0.1]}])
def test_nothing_is_printed_about_a_model_without_batches(
    capsys: pytest.CaptureFixture[str], attributes: dict[str, object]
) -> None:
    assert lines(capsys, **attributes) == []
