"""The panel about the disk and the prediction log on it, at the end of the overview."""

from collections.abc import Iterator

from common.disk_space import SERVER
from monitor.page.panels import Panel, PanelText, columns
from monitor.page.view import View
from monitor.statistics.digits import count_text, number_text, percentage_text, size_text
from monitor.storage import Storage, StorageFigures

STORAGE = PanelText(
    "storage",
    "The disk and the prediction log",
    "There is no disk to show.",
    "Of all problems together, now. Counts on these pages count every answer, also those whose rows are gone.",
)


def storage_panels(view: View) -> list[Panel]:
    """Return the panel; none if the page has no figures of the disk."""
    if (storage := view.backends.storage) is None:
        return []
    found = storage.figures()
    head = columns("text", name="Part", value="State", text="Remark")
    panel = STORAGE.panel(head, list(_rows(storage, found, view.selection.problem)))
    if full := storage.full(found):
        panel.warning = (
            f"The disk of {full[0].folder} is nearly full: the prediction log keeps one row of ten until space is free."
        )
    return [panel]


def _rows(storage: Storage, found: StorageFigures, problem: str) -> Iterator[list[str]]:
    for each in found.disks:
        name = "PostgreSQL" if each.folder == SERVER else f"{each.folder.name}/"
        yield [f"Disk of {name}", f"{percentage_text(each.used)} full", f"{size_text(each.free)} free"]
    yield ["Days until it is full", *_days(storage, found)]
    log = found.log
    a_row = f"{number_text(log.row_bytes)} bytes a row" if log.row_bytes else "no row yet"
    free = f"; {size_text(log.free)} of the file wait for the next rows" if log.free else ""
    yield ["Prediction log", f"{count_text(log.rows)} rows, {size_text(log.used)}", a_row + free]
    if oldest := found.oldest.get(problem):
        kept = f"RETAIN_PREDICTIONS is {storage.retained}" if storage.retained else "rows stay for ever"
        yield [f"Oldest row of {problem}", f"{oldest:%Y-%m-%d %H:%M} UTC", kept]
    if deleted := found.missing.get((problem, "deleted")):
        yield [f"Deleted rows of {problem}", count_text(deleted), "older than they may be; their answers are counted"]
    if left_out := found.missing.get((problem, "left_out")):
        why = "the disk was nearly full, and the log kept one row of ten; their answers are counted"
        yield [f"Rows of {problem} that were not written", count_text(left_out), why]


def _days(storage: Storage, found: StorageFigures) -> tuple[str, str]:
    if not found.rows_a_day:
        return "not enough data", "yesterday brought no rows"
    if found.days_left is not None:
        return number_text(found.days_left), f"if each day brings {count_text(found.rows_a_day)} rows as yesterday"
    bounded, unset = "RETAIN_PREDICTIONS bounds the log", "STORE_DISK does not say how large PostgreSQL's disk is"
    return "not known", bounded if storage.retained else unset
