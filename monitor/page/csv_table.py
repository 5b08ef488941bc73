"""A panel's table as CSV."""

import csv
import io

from monitor.page.formatting import link_of
from monitor.page.panels import Cell, Column, Panel

RISKY = ("=", "+", "-", "@", "\t", "\r")


def as_csv(panel: Panel) -> str:
    """Return a panel's table as CSV, with all columns and all digits."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([_escaped(column.label) for column in panel.columns])
    for row in panel.rows:
        writer.writerow([_csv_value(value, column) for value, column in zip(row, panel.columns, strict=True)])
    return file.getvalue()


def _csv_value(value: Cell, column: Column) -> Cell:
    if column.kind == "link" and (link := link_of(value)):
        return _escaped(" ".join(link))
    return _escaped(value) if isinstance(value, str) else value


def _escaped(text: str) -> str:
    # A spreadsheet would run the text as a formula.
    return f"'{text}" if text.startswith(RISKY) else text
