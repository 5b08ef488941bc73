"""Routes of the forms that the monitor sends on to the api: ground truths, reviews and withdrawals."""

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from monitor.page.forms import send_review, send_truth, send_withdrawal
from monitor.page.query import FromUrl, PageQuery
from monitor.page.rendering import render
from monitor.page.view import FeedbackApi

router = APIRouter(include_in_schema=False)


@router.post("/labels")
async def label(request: Request, asked: FromUrl) -> Response:
    """Send a ground truth from the label queue on to the api, and show the tab again."""
    await send_truth(request, _feedback_api(request))
    return _corrections(asked)


@router.post("/review")
async def review(request: Request, asked: FromUrl) -> Response:
    """Send a review on to the api, and show the queue again."""
    await send_review(request, _feedback_api(request))
    return _corrections(asked, "#quarantined")


@router.post("/withdraw")
async def withdraw(request: Request, asked: FromUrl) -> Response:
    """Show what a withdrawal would do; send it on to the api if a person has seen that, and show the corrections."""
    place = "#correction" if asked.correction else "#corrections"
    plan = await send_withdrawal(request, _feedback_api(request))
    if plan is None:
        return _corrections(asked, place)
    return render(request, "withdraw.html", {"plan": plan, "asked": asked, "place": place})


def _corrections(asked: PageQuery, place: str = "") -> Response:
    return RedirectResponse(f"/tab/corrections{asked.suffix()}{place}", 303)


def _feedback_api(request: Request) -> FeedbackApi:
    api: FeedbackApi | None = request.app.state.backends.feedback
    if api is None:
        raise HTTPException(404, "this monitor sends no forms on to an api")
    return api
