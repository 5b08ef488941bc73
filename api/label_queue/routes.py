"""The label queue over HTTP."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.http.access import WITH_KEY
from api.http.errors import responses
from api.routes.dependencies import TheStore
from common.judgement.settle import wanted_labels
from common.problem import Problem, Value
from common.store import Store


class LabelWanted(BaseModel):
    """A prediction whose ground truth is wanted. `POST /feedback` takes it."""

    prediction_id: UUID
    features: dict[str, Value] = Field(description="the row, by the names of the features")
    champion: str = Field(description="the class that the version compared with answers")
    candidate: str = Field(description="the class that the new version answers")


class LabelsWanted(BaseModel):
    """The predictions whose ground truth would settle the newest verdict, the most helpful first."""

    verdict: str | None = Field(description="the newest verdict; null if nothing was judged yet")
    model_version: int | None = Field(description="the version that was judged")
    labels: list[LabelWanted]


def label_router(problem: Problem) -> APIRouter:
    """Return the route of the label queue."""
    router = APIRouter(prefix="/labels", tags=["feedback"], dependencies=[WITH_KEY])

    @router.get("/wanted", responses=responses(401, 503))
    async def get_wanted(store: TheStore) -> LabelsWanted:
        """Show the few predictions whose ground truth would settle an open verdict.

        The list is empty if no verdict is open. A ground truth that `POST /feedback` has taken leaves the list.
        """
        return await store.read(lambda of: _wanted(of, problem))

    return router


def _wanted(store: Store, problem: Problem) -> LabelsWanted:
    newest = next(iter(store.judgements.newest(problem.name, 1)), None)
    if newest is None or not newest.is_open:
        return LabelsWanted(verdict=newest.verdict if newest else None, model_version=None, labels=[])
    labels = [
        LabelWanted(
            prediction_id=UUID(each.prediction_id),
            features=dict(logged[0].row["features"]),
            champion=each.champion,
            candidate=each.candidate,
        )
        for each in wanted_labels(newest.details)
        if (logged := store.predictions.get(each.prediction_id)) and logged[0].truth is None
    ]
    return LabelsWanted(verdict=newest.verdict, model_version=newest.version, labels=labels)
