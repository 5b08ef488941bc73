"""The api's own counters, compared with the requests that wrk sent."""

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
    """Rows that `/metrics` counts: answered, logged, not logged; and scored, failed or dropped by the challenger."""

    answered: int
    logged: int
    not_logged: int
    scored: int
    failed: int
    not_shown: int

    def __sub__(self, before: "Counts") -> "Counts":
        """Return the differences to earlier counts."""
        return Counts(**{name: value - getattr(before, name) for name, value in vars(self).items()})

    @property
    def seen(self) -> bool:
        """Whether no row still waits for the challenger."""
        return self.answered == self.scored + self.failed + self.not_shown

    @property
    def written(self) -> bool:
        """Whether each answer is in the log or counted as dropped; true also without a log."""
        return self.logged + self.not_logged in (0, self.answered + self.scored)


def counts(http: httpx.Client) -> Counts:
    """Return the api's present counts."""
    found = totals(http)
    return Counts(**{name: int(found[metric]) for name, metric in COUNTERS.items()})


def totals(http: httpx.Client) -> dict[str, float]:
    """Return the sum over all series of each counter of `/metrics`, by the counter's name without `_total`."""
    families = text_string_to_metric_families(http.get("/metrics").raise_for_status().text)
    return {family.name: sum(s.value for s in family.samples if s.name.endswith("_total")) for family in families}


def keeps_up(http: httpx.Client) -> bool:
    """Return whether the challenger has no waiting rows within a second."""
    try:
        return wait_for("the challenger", lambda: counts(http).seen, within=KEEP_UP_WITHIN)
    except TimeoutError:
        return False


def written(http: httpx.Client) -> Counts:
    """Return the api's counts as soon as each answer is in the log or counted as dropped."""

    def look() -> Counts | None:
        found = counts(http)
        return found if found.written else None

    return wait_for("the log", look, within=PATIENCE)


def accounted(found: Counts, load: Measured, rows: int = 1) -> Counts:
    """Return the counts of a load whose requests have `rows` rows each, after comparing them with wrk's.

    Raises:
        RuntimeError: the api counted fewer answers than wrk got, or more than wrk got and left out. wrk leaves out the
            first request, which is a trial, and the requests under way at its end.
    """
    if not rows * load.answers <= found.answered <= rows * (load.answers + load.uncounted):
        got = f"{rows * load.answers} answers, and at most {rows * load.uncounted} more were under way"
        raise RuntimeError(f"the client got {got}; the api has counted {found.answered}")
    return found
