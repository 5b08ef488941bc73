"""A panel's table as CSV."""

import csv
import io

from monitor.page.formatting import link_of
from monitor.page.panels import Cell, Column, Panel

RISKY = ("=", "+", "-", "@", "\t", "\r")


def as_csv(panel: Panel) -> str:
    """Return a panel's table as CSV: all columns under their labels, with all digits."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([_harmless(column.label) for column in panel.columns])
    for row in panel.rows:
        writer.writerow([_exported(value, column) for value, column in zip(row, panel.columns, strict=True)])
    return file.getvalue()


def _exported(value: Cell, column: Column) -> Cell:
    if column.kind == "link" and (link := link_of(value)):
        return _harmless(" ".join(link))
    return _harmless(value) if isinstance(value, str) else value


def _harmless(text: str) -> str:
    # A spreadsheet would take it for a formula.
    return f"'{text}" if text.startswith(RISKY) else text
