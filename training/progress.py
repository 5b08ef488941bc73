"""A bar that shows on a terminal how far the search is, and its best candidate so far. This file can be deleted."""

from collections.abc import Generator, Sequence
from contextlib import closing

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column

from common.problem import Candidate, Table
from training.fitting import FitAll, Fitted

BAR_WIDTH = 10

Done = tuple[Candidate, Fitted]


def with_progress(fit_all: FitAll, console: Console | None = None) -> FitAll:
    """Return the same search, with a bar on the terminal; without a terminal it prints nothing more.

    Args:
        fit_all: fits the candidates.
        console: the terminal; standard output by default.
    """
    shown = console or Console()

    def fit_and_show(
        candidates: Sequence[Candidate], fitting: Table, validation: Table
    ) -> Generator[Fitted, None, None]:
        # Narrow enough for a terminal of 80 columns, which cuts the parameters off if they are too long.
        best = TextColumn("{task.fields[best]}", table_column=Column(no_wrap=True, overflow="ellipsis"))
        columns = (TextColumn("training"), BarColumn(BAR_WIDTH), MofNCompleteColumn(), best)
        done: list[Done] = []
        # Closed here, also after an error elsewhere: processes that fit candidates end with their generator.
        with (
            closing(fit_all(candidates, fitting, validation)) as fits,
            Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as bar,
        ):
            task = bar.add_task("training", total=len(candidates), best="")
            for candidate, fitted in zip(candidates, fits, strict=True):
                done.append((candidate, fitted))
                bar.update(task, advance=1, best=f"best: {best_of(done)}")
                yield fitted

    return fit_and_show


def best_of(done: Sequence[Done]) -> str:
    """Return the best of these candidates in words, by log-loss, or by accuracy if one gives no probabilities."""
    losses = [fitted.metrics["val_log_loss"] for _, fitted in done if "val_log_loss" in fitted.metrics]
    accuracies = [fitted.metrics["val_accuracy"] for _, fitted in done]
    if len(losses) == len(done):
        place = min(range(len(done)), key=losses.__getitem__)
        score = f"log-loss {losses[place]:.4f}"
    else:
        place = max(range(len(done)), key=accuracies.__getitem__)
        score = f"accuracy {accuracies[place]:.3f}"
    params = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in done[place][0].params.items())
    return f"{score} ({params})"
