"""Erasing a person's data over HTTP."""

from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.corrections.ground_truth import record_feedback
from api.http.access import TheSender
from api.http.errors import error_response, responses
from api.routes.dependencies import TheLog, TheStore
from common.problem import Problem
from common.store import Store, StoreError
from common.store.feedback import UnknownPredictionError
from common.store.trust.erasures import ErasedData, Erasure
from trust.http.review_key import WITH_REVIEW_KEY
from trust.lineage.asking import ErasedError

PREDICTIONS = "/predictions/"


class ErasedPrediction(BaseModel):
    """A prediction that was erased."""

    prediction_id: UUID
    erased_at: datetime = Field(description="when it was erased; a second request changes nothing")
    erased: ErasedData
    not_erased: list[str] = Field(description="whatever the lab cannot erase, in words")


def erasure_router(_: Problem) -> APIRouter:
    """Return the route that erases a prediction."""
    router = APIRouter(tags=["erasure"], dependencies=[WITH_REVIEW_KEY])

    @router.delete("/predictions/{prediction_id}", responses=responses(401, 404, 422, 503))
    async def delete_prediction(
        prediction_id: UUID, sender: TheSender, store: TheStore, log: TheLog
    ) -> ErasedPrediction:
        """Erase a prediction, its ground truth, and the features of the corrections that name it.

        These corrections are withdrawn, so that versions which have learnt them are replaced. The answer says what
        cannot be erased.
        """
        found: list[Erasure] = []

        def erase(of: Store) -> None:
            erasure = of.trust.erasures.erase(str(prediction_id), sender.source)
            if erasure is None:
                raise UnknownPredictionError(f"there is no prediction {prediction_id}")
            found.append(erasure)

        await record_feedback(prediction_id, erase, store, log)
        [erasure] = found
        return ErasedPrediction(
            prediction_id=prediction_id, erased_at=erasure.erased_at, erased=erasure.data, not_erased=left_over(erasure)
        )

    return router


def left_over(erasure: Erasure) -> list[str]:
    """Return in words what an erasure left elsewhere."""
    data = erasure.data
    pending = data.correction_count - data.features_erased
    words = {
        "the counts of days and classes, which hold no data of a person": True,
        f"the features of {pending} corrections, until their withdrawal ends": pending,
        f"what versions {_listed(data.versions)} have learnt of its corrections: the withdrawal replaces the versions "
        "that serve, and the others stay in MLflow until somebody deletes them": data.versions,
        f"its rows in the external log: exports {_listed(data.exports)}, in the runs {_listed(data.runs)} of MLflow; "
        "delete them there": data.exports,
        f"the parameters of the flow runs {_listed(data.flow_runs)}, which may have its features: delete these runs in "
        "Prefect": data.flow_runs,
        "old bytes in SQLite's write-ahead log, because somebody was reading: send the request again": (
            erasure.log_is_empty is False
        ),
        "backups of the store, and in PostgreSQL old rows until its next VACUUM": True,
    }
    return [sentence for sentence, is_left in words.items() if is_left]


def _listed(values: list[int] | list[str]) -> str:
    return ", ".join(map(str, values)) or "that are not finished yet"


def answer_for_erased(app: FastAPI) -> None:
    """Make `app` answer 410 instead of 404 to a question about a prediction that was erased."""
    otherwise: Any = app.exception_handlers[HTTPException]

    async def http_error(request: Request, error: HTTPException) -> Response:
        path = request.url.path
        if error.status_code == HTTPStatus.NOT_FOUND and path.startswith(PREDICTIONS):
            # A path that is no id, and a store that is away, are answered as if nothing were erased.
            with suppress(ValueError, StoreError):
                wanted = str(UUID(path.removeprefix(PREDICTIONS)))
                if erasure := await request.app.state.store.read(lambda of: of.trust.erasures.of(wanted)):
                    return error_response(HTTPStatus.GONE, str(ErasedError(erasure)), path)
        response: Response = await otherwise(request, error)
        return response

    app.add_exception_handler(HTTPException, http_error)  # type: ignore[arg-type]  # Starlette types it for any error
