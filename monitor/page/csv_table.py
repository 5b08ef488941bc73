"""A panel's table as CSV."""

import csv
import io

from common.csv_cells import harmless
from monitor.page.formatting import link_of
from monitor.page.panels import Cell, Column, Panel


def as_csv(panel: Panel) -> str:
    """Return a panel's table as CSV, with all columns and all digits."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([harmless(column.label) for column in panel.columns])
    for row in panel.rows:
        cells = zip(row, panel.columns, strict=True)
        writer.writerow([harmless(_csv_value(value, column)) for value, column in cells])
    return file.getvalue()


def _csv_value(value: Cell, column: Column) -> Cell:
    if column.kind == "link" and (link := link_of(value)):
        return " ".join(link)
    return value
