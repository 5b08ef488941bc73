"""Replays from the page: the form that starts one, and the changed answers of one as CSV."""

import io

from fastapi import HTTPException

from common.store import Store
from common.store.trust.replays import ReplayBusyError, ReplaySpan
from monitor.page.forms import PageForm
from trust.replay.changed_csv import ChangedAnswersCsv
from trust.replay.replay import ChangedAnswer
from trust.replay.summary import PageReplay

LARGEST_VERSION = 2**31 - 1


def start_replay(store: Store, form: PageForm, span: ReplaySpan) -> None:
    """Ask for a replay of a span on the version in the form; a job of the monitor runs it.

    Nobody needs a key for it: a replay reads, is bounded, and only one runs at a time.

    Raises:
        HTTPException: 422 for a form without a version, 409 while another replay is open.
    """
    text = form.value("version")
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:11]) <= LARGEST_VERSION):
        raise HTTPException(422, "the form has no version: write its number, such as 3")
    try:
        store.trust.replays.request(int(text), span)
    except ReplayBusyError as error:
        raise HTTPException(409, str(error)) from error


def changed_answers(store: Store, replay_id: str, *, trusted_only: bool) -> tuple[str, str]:
    """Return a name for the file of a replay's changed answers, and its content; an erased row is left out.

    Raises:
        HTTPException: 404 for an unknown replay, and for one without a result.
    """
    asked = store.trust.replays.get(replay_id)
    if asked is None or asked.summary is None:
        raise HTTPException(404, "there is no such replay, or it has no result: a problem keeps its newest twenty")
    found = PageReplay.model_validate(asked.summary)
    logged = store.trust.replays.answers([each[0] for each in found.changed], trusted_only=trusted_only)
    file = io.StringIO(newline="")
    lines = ChangedAnswersCsv(file, asked.version, found.columns)
    answers = ((logged.get(name), class_name, confidence) for name, class_name, confidence in found.changed)
    lines.write(ChangedAnswer(row, class_name, confidence) for row, class_name, confidence in answers if row)
    return f"{asked.problem}-replay-of-version-{asked.version}.csv", file.getvalue()
