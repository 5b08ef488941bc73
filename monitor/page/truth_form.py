"""The form of the label queue: the monitor sends a ground truth on to the api, with the key that a person has typed."""

from urllib.parse import parse_qsl, urlsplit

import httpx
from fastapi import HTTPException, Request

from monitor.page.view import FeedbackApi

MOST_BYTES = 4096
SECONDS = 20.0


async def send_truth(request: Request, api: FeedbackApi) -> None:
    """Post the ground truth in a form to `POST /feedback` of the api.

    Raises:
        HTTPException: with the reason in words. The status is 403 for a form of another site, 413 for a long one, 422
            for one without a ground truth, 502 if the api does not work, and else that of the api's answer.
    """
    if not _from_this_page(request):
        raise HTTPException(403, "only the monitor's own page may send ground truths through the monitor")
    form = await _form(request)
    prediction_id, _, class_name = form.get("truth", "").partition("|")
    if not class_name:
        raise HTTPException(422, "the form has no ground truth")
    headers = {b"X-API-Key": key.encode()} if (key := form.get("key", "").strip()) else {}
    try:
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            body = {"prediction_id": prediction_id, "class_name": class_name}
            answer = await client.post(f"{api.url}/feedback", json=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL):
        # The error's own words may have the key.
        raise HTTPException(502, f"the api at {api.url} (API_URL) does not answer") from None
    if not answer.is_success:
        status = answer.status_code if answer.is_client_error else 502
        raise HTTPException(status, f"the api answers {answer.status_code}: {_reason(answer)}")


def _from_this_page(request: Request) -> bool:
    """Return whether the browser says that a page of the same site sends the request."""
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    # Browsers send Sec-Fetch-Site only to https:// and to this machine, but Origin with each form.
    origin = urlsplit(request.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == request.headers.get("host")


async def _form(request: Request) -> dict[str, str]:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BYTES:
            raise HTTPException(413, f"the form is longer than {MOST_BYTES} bytes")
    return dict(parse_qsl(content.decode(errors="replace")))


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase
