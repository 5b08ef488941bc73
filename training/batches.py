"""The learning curve of a model that learns in batches, as a table. This file can be deleted."""

from rich.console import Console
from rich.table import Table

from common.problem import Classifier

BATCH = "batch_"  # how the names of such curves begin
HEADINGS = {"auc": "AUC", "log_loss": "log-loss"}


def show_batches(model: Classifier) -> None:
    """Print a row for each batch that a model has learnt, such as its AUC and log-loss; nothing without batches."""
    found = dict(getattr(model, "curves_", {}))
    curves = {name.removeprefix(BATCH): curve for name, curve in found.items() if name.startswith(BATCH)}
    if not curves:
        return
    table = Table(title="the best candidate by batch, on the rows of each that it did not fit")
    for heading in ("batch", *curves):
        table.add_column(HEADINGS.get(heading, heading), justify="right")
    for number, values in enumerate(zip(*curves.values(), strict=True), start=1):
        table.add_row(str(number), *(f"{value:.4f}" for value in values))
    Console(soft_wrap=True).print(table)
