"""Taking corrections back over HTTP: what it will do, doing it, and what came of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Path, Query, Response
from pydantic import BaseModel, Field, model_validator

from api.guards.json_bodies import BoundedRoute
from api.http.access import TheSender
from api.http.errors import responses
from api.routes.dependencies import TheStore
from api.schemas.requests import STRICT
from common.problem import TEXT, Problem
from common.store import Store
from common.store.trust.withdrawals import MOST, Chosen, Withdrawal
from trust.http.review_key import WITH_REVIEW_KEY
from trust.withdrawal.effects import plan

MOST_IDS = 1_000  # in one body
MOST_SHOWN = 1_000  # withdrawals in one answer
MOST_REASON = 500  # characters

CorrectionId = Annotated[str, Field(min_length=1, max_length=36, pattern=TEXT)]
Reason = Annotated[str, Field(min_length=1, max_length=MOST_REASON, pattern=r"^[^\x00]*$", examples=["a wrong label"])]
DryRun = Annotated[bool, Query(description="only say what would happen")]


class WithdrawalBody(BaseModel):
    """The withdrawal of one correction."""

    model_config = STRICT

    reason: Reason


class WithdrawalsBody(BaseModel):
    """The withdrawal of many corrections: exactly one of `ids`, `source` and `version` says which."""

    model_config = STRICT

    reason: Reason
    ids: list[CorrectionId] | None = Field(None, min_length=1, max_length=MOST_IDS, description="ids of corrections")
    source: str | None = Field(
        None, min_length=1, max_length=200, pattern=TEXT, description="all of this client: an address, or a key's name"
    )
    version: int | None = Field(
        None, ge=1, lt=2**31, description="all that this version was the first to learn: a batch"
    )

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if sum(each is not None for each in (self.ids, self.source, self.version)) != 1:
            raise ValueError("give exactly one of ids, source and version")
        return self


class LearntBy(BaseModel):
    """A version that has learnt corrections which are taken back."""

    version: int
    answers: int = Field(description="how many predictions it gave as champion")


class WithdrawalPlan(BaseModel):
    """The effect of a withdrawal, done or not."""

    request_id: str | None = Field(description="the same for all corrections of this request; null for a dry run")
    corrections: int = Field(description="the number of corrections that are taken back")
    withdrawn_before: int = Field(description="of the chosen ones, those that were taken back earlier")
    left: int = Field(description=f"further ones: a request takes back {MOST} at most, so send it again")
    versions: list[LearntBy] = Field(description="the versions that have, or may have, learnt them")
    plan: str = Field(description="what happens, in words")


class WithdrawnCorrection(BaseModel):
    """A correction that was taken back, and what came of it."""

    correction_id: str
    request_id: str
    requested_at: datetime
    actor: str = Field(description="by whom: a key, or the address of a client")
    reason: str | None
    erase: bool = Field(description="whether its features are erased, too")
    closed_at: datetime | None = Field(description="since when no file and no version in service has it; null before")
    model_version: int | None = Field(description="the version that serves instead of those that had learnt it")
    flow_run_id: str | None = Field(description="the run in Prefect that sees to it")
    outcome: str = Field(description="how it ended, in words")


class WithdrawnCorrections(BaseModel):
    """Withdrawals, newest first."""

    withdrawals: list[WithdrawnCorrection]


def withdrawals_router(problem: Problem) -> APIRouter:
    """Return the routes that take corrections of `problem` back. They come before `/corrections/{correction_id}`."""
    router = APIRouter(
        prefix="/corrections", tags=["corrections"], dependencies=[WITH_REVIEW_KEY], route_class=BoundedRoute
    )
    answers = responses(400, 401, 404, 413, 415, 422, 503)
    answers[200] = {"model": WithdrawalPlan, "description": "the plan, of a dry run"}

    @router.get("/withdrawals", responses=responses(401, 422, 503))
    async def get_withdrawals(
        store: TheStore, limit: Annotated[int, Query(ge=1, le=MOST_SHOWN)] = 100
    ) -> WithdrawnCorrections:
        """List the newest withdrawals with their outcomes."""
        found = await store.read(lambda of: of.trust.withdrawals.newest(problem.name, limit))
        return WithdrawnCorrections(withdrawals=[_shown(each) for each in found])

    @router.get("/{correction_id}/withdrawal", responses=responses(401, 404, 422, 503))
    async def get_withdrawal(
        correction_id: Annotated[str, Path(max_length=36, pattern=TEXT)], store: TheStore
    ) -> WithdrawnCorrection:
        """Show the withdrawal of a correction with its outcome."""
        found = await store.read(lambda of: of.trust.withdrawals.newest(problem.name, 1, [correction_id]))
        if not found:
            raise HTTPException(404, f"correction {correction_id} was not withdrawn")
        return _shown(found[0])

    @router.post("/withdraw", status_code=202, responses=answers)
    async def post_withdrawals(
        body: WithdrawalsBody, sender: TheSender, store: TheStore, response: Response, *, dry_run: DryRun = False
    ) -> WithdrawalPlan:
        """Take many corrections back: no version learns them from now on, and the versions that did are replaced.

        A second request changes nothing. With `dry_run`, the answer says which versions have learnt them and what
        will happen.
        """
        chosen = Chosen(body.ids or (), body.source, body.version)
        return await _withdraw(chosen, body.reason, sender.source, store, response, dry_run=dry_run)

    @router.post("/{correction_id}/withdraw", status_code=202, responses=answers)
    async def post_withdrawal(  # noqa: PLR0913  # FastAPI gives each by its name
        correction_id: Annotated[str, Path(max_length=36, pattern=TEXT)],
        body: WithdrawalBody,
        sender: TheSender,
        store: TheStore,
        response: Response,
        *,
        dry_run: DryRun = False,
    ) -> WithdrawalPlan:
        """Take a correction back: no version learns it from now on, and a version that did is replaced."""
        chosen = Chosen([correction_id])
        return await _withdraw(chosen, body.reason, sender.source, store, response, dry_run=dry_run)

    async def _withdraw(  # noqa: PLR0913  # as the routes
        chosen: Chosen, reason: str, actor: str, store: TheStore, response: Response, *, dry_run: bool
    ) -> WithdrawalPlan:
        if dry_run:
            response.status_code = 200
            return await store.read(lambda of: _plan(of, problem, chosen)[0])
        return await store.write(lambda of: _do(of, problem, chosen, reason, actor))

    return router


def _plan(store: Store, problem: Problem, chosen: Chosen) -> tuple[WithdrawalPlan, Sequence[str]]:
    """Return what a withdrawal would do, and the ids of its corrections."""
    found = store.trust.withdrawals.find(problem.name, chosen)
    if found.unknown:
        more = f" and {len(found.unknown) - 1} more" if len(found.unknown) > 1 else ""
        raise HTTPException(404, f"there is no correction {found.unknown[0]}{more}: nothing is withdrawn")
    versions = store.trust.tainted.versions_of(problem.name, found.ids) if found.ids else {}
    shown = WithdrawalPlan(
        request_id=None,
        corrections=len(found.ids),
        withdrawn_before=found.withdrawn,
        left=found.left,
        versions=[LearntBy(version=number, answers=answers) for number, answers in versions.items()],
        plan=plan(len(found.ids), versions),
    )
    return shown, found.ids


def _do(store: Store, problem: Problem, chosen: Chosen, reason: str, actor: str) -> WithdrawalPlan:
    shown, ids = _plan(store, problem, chosen)
    if not ids:
        return shown
    request_id = str(uuid4())
    new = store.trust.withdrawals.request(problem.name, ids, request_id, actor, reason)
    return shown.model_copy(update={"request_id": request_id, "corrections": new})


def _shown(found: Withdrawal) -> WithdrawnCorrection:
    return WithdrawnCorrection(
        correction_id=found.suggestion_id,
        model_version=found.version,
        outcome=found.in_words(),
        **{
            name: getattr(found, name)
            for name in ("request_id", "requested_at", "actor", "reason", "erase", "closed_at", "flow_run_id")
        },
    )
