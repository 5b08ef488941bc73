"""The bar of the search, on a terminal that writes into a text, and without one."""

import io
from collections.abc import Generator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from common.problem import Candidate, Table
from training.fitting import Fitted
from training.progress import best_of, with_progress

MODEL: Any = SimpleNamespace()
NO_ROWS: Any = SimpleNamespace()
LOSSES = (0.5, 0.0625, 0.25)


def candidate(epochs: int) -> Candidate:
    return Candidate({"hidden_layers": 4, "epochs": epochs}, MODEL, "perceptron")


def fitted(accuracy: float, log_loss: float | None = None) -> Fitted:
    return Fitted(MODEL, {"val_accuracy": accuracy, **({} if log_loss is None else {"val_log_loss": log_loss})})


CANDIDATES = [candidate(epochs) for epochs in range(len(LOSSES))]


class Search:
    """A search that notes how it ended."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.ended = False
        self._failure = failure

    def __call__(
        self, candidates: Sequence[Candidate], fitting: Table, validation: Table
    ) -> Generator[Fitted, None, None]:
        assert (list(candidates), fitting, validation) == (CANDIDATES, NO_ROWS, NO_ROWS)
        try:
            for loss in LOSSES:
                yield fitted(0.5, loss)
            if self._failure:
                raise self._failure
        finally:
            self.ended = True


def screen(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=80)


def shown_by(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_the_results_of_the_search_go_through_unchanged(*, terminal: bool) -> None:
    found = with_progress(Search(), screen(terminal=terminal))(CANDIDATES, NO_ROWS, NO_ROWS)
    assert [each.metrics["val_log_loss"] for each in found] == list(LOSSES)


def test_a_terminal_shows_how_many_are_done_and_the_best_so_far() -> None:
    console = screen(terminal=True)
    list(with_progress(Search(), console)(CANDIDATES, NO_ROWS, NO_ROWS))
    assert "3/3" in shown_by(console)
    assert "best: log-loss 0.0625 (hidden layers 4, epochs 1)" in shown_by(console)


def test_without_a_terminal_nothing_is_printed() -> None:
    console = screen(terminal=False)
    list(with_progress(Search(), console)(CANDIDATES, NO_ROWS, NO_ROWS))
    assert shown_by(console) == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_the_search_ends_when_nobody_wants_the_rest(*, terminal: bool) -> None:
    search = Search()
    started = with_progress(search, screen(terminal=terminal))(CANDIDATES, NO_ROWS, NO_ROWS)
    next(started)
    assert not search.ended
    started.close()
    assert search.ended


def test_an_error_of_the_search_goes_through_and_leaves_the_cursor_visible() -> None:
    console = screen(terminal=True)
    with pytest.raises(ValueError, match="no memory"):
        list(with_progress(Search(ValueError("no memory")), console)(CANDIDATES, NO_ROWS, NO_ROWS))
    assert shown_by(console).rindex("\x1b[?25h") > shown_by(console).rindex("\x1b[?25l")


def test_accuracy_decides_if_one_candidate_gives_no_probabilities() -> None:
    done = [(CANDIDATES[0], fitted(0.75, 0.1)), (CANDIDATES[1], fitted(0.875))]
    assert best_of(done[:1]).startswith("log-loss 0.1000")
    assert best_of(done) == "accuracy 0.875 (hidden layers 4, epochs 1)"
