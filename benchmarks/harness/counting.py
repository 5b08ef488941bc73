"""What the api counts of its own answers, held against what was sent to it."""

from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.harness.http_load import Measured
from scripts.parts import wait_for

PATIENCE = 60.0
KEEP_UP_WITHIN = 1.0
COUNTERS = {
    "answered": "predicted_class_name",
    "logged": "prediction_log_rows",
    "not_logged": "prediction_log_dropped",
    "scored": "shadow_predictions",
    "failed": "shadow_failures",
    "not_shown": "shadow_dropped",
}


@dataclass(frozen=True)
class Counts:
    """Rows as `/metrics` counts them: answered, logged or not, and what became of those that the challenger got."""

    answered: int
    logged: int
    not_logged: int
    scored: int
    failed: int
    not_shown: int

    def __sub__(self, before: "Counts") -> "Counts":
        """Return what has come since."""
        return Counts(**{name: value - getattr(before, name) for name, value in vars(self).items()})

    @property
    def seen(self) -> bool:
        """Whether the challenger has seen every row, or was not shown it."""
        return self.answered == self.scored + self.failed + self.not_shown

    @property
    def written(self) -> bool:
        """Whether all that was answered is in the log, or counted as dropped; or there is no log."""
        return self.logged + self.not_logged in (0, self.answered + self.scored)


def counts(http: httpx.Client) -> Counts:
    """Return what the api has counted so far."""
    found = totals(http)
    return Counts(**{name: int(found[metric]) for name, metric in COUNTERS.items()})


def totals(http: httpx.Client) -> dict[str, float]:
    """Return the sum over all series of each counter of `/metrics`, by the counter's name without `_total`."""
    families = text_string_to_metric_families(http.get("/metrics").raise_for_status().text)
    return {family.name: sum(s.value for s in family.samples if s.name.endswith("_total")) for family in families}


def keeps_up(http: httpx.Client) -> bool:
    """Return whether the challenger has soon seen all the rows."""
    try:
        return wait_for("the challenger", lambda: counts(http).seen, within=KEEP_UP_WITHIN)
    except TimeoutError:
        return False


def written(http: httpx.Client) -> Counts:
    """Return what the api has counted, when all of it is in the log or counted as dropped."""

    def look() -> Counts | None:
        found = counts(http)
        return found if found.written else None

    return wait_for("the log", look, within=PATIENCE)


def accounted(found: Counts, load: Measured, rows: int = 1) -> Counts:
    """Return what was counted during a load, each of whose requests has so many rows.

    Raises:
        RuntimeError: other answers were counted than were got; the client does not get those that are under way when
            it ends, and does not count the first.
    """
    if not rows * load.answers <= found.answered <= rows * (load.answers + load.uncounted):
        got = f"{rows * load.answers} answers, and at most {rows * load.uncounted} more were under way"
        raise RuntimeError(f"the client got {got}; the api has counted {found.answered}")
    return found
