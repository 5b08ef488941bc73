"""The forms of the page: the monitor sends each on to the api, with the key of the person who has logged in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from fastapi import HTTPException, Request

from monitor.page.view import FeedbackApi

MOST_BYTES = 16_384  # of a form, such as one with 200 ids
SECONDS = 20.0
DECISIONS = ("approve", "reject")
REVIEWED = ("decided", "decided before")  # results of a review with which its sender can be content
OTHER_KEY = 401  # the status of the api for a key that does not open what is asked for
MOST_NAMED = 3  # corrections that a review did not decide


async def send_truth(request: Request, api: FeedbackApi) -> None:
    """Post the ground truth in a form to `POST /feedback` of the api.

    Raises:
        HTTPException: as `PageForm` does; 422 also for a form without a ground truth.
    """
    form = await PageForm.read(request)
    prediction_id, _, class_name = form.value("truth").partition("|")
    if not class_name:
        raise HTTPException(422, "the form has no ground truth")
    await form.send_on(api, "/feedback", {"prediction_id": prediction_id, "class_name": class_name})


async def send_review(request: Request, api: FeedbackApi) -> None:
    """Post the review in a form to `POST /corrections/review` of the api.

    The button `one` has a decision and an id; the button `decision` is about all ids that are ticked.

    Raises:
        HTTPException: as `PageForm` does; 422 also for a form without corrections or without a decision, and 409 if
            some of the corrections were not reviewed, with the reasons.
    """
    form = await PageForm.read(request)
    decision, _, only = form.value("one").partition("|")
    decision, ids = (decision, [only]) if only else (form.value("decision"), form.values("correction"))
    if decision not in DECISIONS:
        raise HTTPException(422, "the form has no decision: approve or reject")
    if not ids:
        raise HTTPException(422, "no correction is selected")
    body = {"ids": ids, "decision": decision, "note": form.value("note") or None}
    answer = await form.send_on(api, "/corrections/review", body)
    results = answer.get("corrections", [])
    if left := [each["detail"] for each in results if each["result"] not in REVIEWED]:
        more = f"; and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
        reviewed = f"{len(results) - len(left)} of {len(results)} corrections are reviewed"
        reasons = f"{'; '.join(left[:MOST_NAMED])}{more}"
        raise HTTPException(409, f"{reviewed}, the others stay as they were: {reasons}")


@dataclass(frozen=True)
class WithdrawalWords:
    """The effect that a withdrawal of corrections would have, in the api's words.

    Attributes:
        corrections: the ids of the selected corrections; none if all of a client were meant.
        source: the client whose corrections are all meant; "" for selected ones.
        reason: the person's.
        number: how many would be taken back.
        before: how many of them are taken back already.
        left: how many further ones a second request would take back.
        words: what would happen.
        versions: those that have learnt any of them, each with the number of its answers.
    """

    corrections: Sequence[str]
    source: str
    reason: str
    number: int
    before: int
    left: int
    words: str
    versions: Sequence[tuple[int, int]]


async def send_withdrawal(request: Request, api: FeedbackApi) -> WithdrawalWords | None:
    """Post the withdrawal in a form to `POST /corrections/withdraw` of the api, if it is confirmed.

    Else ask the api what it would do, and return that. The button `source` is about all corrections of a client, and
    not about those that are selected.

    Raises:
        HTTPException: as `PageForm` does; 422 also for a form without corrections or without a reason.
    """
    form = await PageForm.read(request)
    source, reason = form.value("source"), form.value("reason")
    ids = [] if source else list(dict.fromkeys(each for each in form.values("correction") if each.strip()))
    if not source and not ids:
        raise HTTPException(422, "no correction is selected")
    if not reason:
        raise HTTPException(422, "the form has no reason")
    path, body = "/corrections/withdraw", {"reason": reason, **({"source": source} if source else {"ids": ids})}
    if form.value("confirmed"):
        await form.send_on(api, path, body)
        return None
    plan = await form.send_on(api, f"{path}?dry_run=true", body)
    versions = [(each["version"], each["answers"]) for each in plan["versions"]]
    number, before, left = (plan[name] for name in ("corrections", "withdrawn_before", "left"))
    return WithdrawalWords(ids, source, reason, number, before, left, plan["plan"], versions)


class PageForm:
    """A form that the page itself has sent."""

    def __init__(self, values: dict[str, list[str]], key: str) -> None:
        """Take its values by name, and its sender's key for the api; "" in a lab without keys."""
        self._values, self._key = values, key

    @classmethod
    async def read(cls, request: Request) -> "PageForm":
        """Return the form of a request.

        Raises:
            HTTPException: 403 for a form of another site, 413 for a long one.
        """
        if not _from_this_page(request):
            raise HTTPException(403, "only the monitor's own page may send forms through the monitor")
        content = b""
        async for chunk in request.stream():
            content += chunk
            if len(content) > MOST_BYTES:
                raise HTTPException(413, f"the form is longer than {MOST_BYTES} bytes")
        return cls(parse_qs(content.decode(errors="replace")), request.scope.get("key_for_api", ""))

    def value(self, name: str) -> str:
        """Return the last value of a name, without spaces around it; "" if there is none."""
        return next(reversed(self.values(name)), "").strip()

    def values(self, name: str) -> Sequence[str]:
        """Return all values of a name."""
        return self._values.get(name, [])

    async def send_on(self, api: FeedbackApi, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post a body to the api, with the sender's key, and return its answer.

        Raises:
            HTTPException: with the reason in words. The status is 502 if the api does not work, and else that of the
                api's answer.
        """
        headers = {b"X-API-Key": self._key.encode()} if self._key else {}
        try:
            async with httpx.AsyncClient(timeout=SECONDS) as client:
                answer = await client.post(f"{api.url}{path}", json=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL):
            # The error's own words may have the key.
            raise HTTPException(502, f"the api at {api.url} (API_URL) does not answer") from None
        if not answer.is_success:
            status = answer.status_code if answer.is_client_error else 502
            way = ": log out, and log in with another key" if status == OTHER_KEY else ""
            raise HTTPException(status, f"the api answers {answer.status_code}: {_reason(answer)}{way}")
        return _document(answer)


def _from_this_page(request: Request) -> bool:
    """Return whether the browser says that a page of the same site sends the request."""
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    # Browsers send Sec-Fetch-Site only to https:// and to this machine, but Origin with each form.
    origin = urlsplit(request.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == request.headers.get("host")


def _reason(answer: httpx.Response) -> str:
    return str(_document(answer).get("detail") or answer.reason_phrase)


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
