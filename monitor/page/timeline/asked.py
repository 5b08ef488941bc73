"""The time that a request asks for: a span that ends now, days, or moments."""

from datetime import date, datetime, timedelta
from typing import Any

from fastapi import HTTPException

from monitor.page.query import PageQuery
from monitor.page.timeline.window import LONGEST_UNASKED, SPANS
from monitor.page.view import AUTO

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def asked_time(asked: PageQuery, now: datetime) -> dict[str, Any]:
    """Return the fields of a `Selection` that say its time.

    A span of days begins with a day; a shorter one begins exactly, and tables by day show the days that it touches.

    Raises:
        HTTPException: 422, the begin is after the end.
    """
    if asked.since is None and asked.until is None:
        length = SPANS[asked.span or LONGEST_UNASKED]
        days = {"span": asked.span or AUTO, "until": now.date()}
        if length > DAY:
            return {**days, "since": now.date() - length + DAY}
        return {**days, "since": (now - length).date(), "begins": now - length}
    until: date = asked.until or now.date()
    since: date = asked.since or _day(until) - SPANS[LONGEST_UNASKED] + DAY
    begins = since if isinstance(since, datetime) else None
    ends = until + MINUTE if isinstance(until, datetime) else None
    if _day(since) > _day(until) or (begins and ends and begins >= ends):
        last = "moment" if begins or ends else "day"
        raise HTTPException(422, f"the first {last}, {since}, is after the last one, {until}")
    return {"since": _day(since), "until": _day(until), "begins": begins, "ends": ends}


def _day(time: date) -> date:
    return time.date() if isinstance(time, datetime) else time
