"""The routes of Seldon's protocol: predictions and feedback, at the root and where Seldon's gateway has them."""

from itertools import product
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from api.guards.json_bodies import BoundedRoute
from api.http.access import WITH_KEY, TheSender
from api.http.errors import responses
from api.inference.predictor import answer
from api.protocols.seldon.answers import SeldonAnswers, meta_of
from api.protocols.seldon.bodies import Judged, Output, feedback_model, request_model
from api.protocols.seldon.payloads import RowReader, class_names
from api.routes.dependencies import Offload, ServedModel, ThePredictor, TheStore, part
from common.problem import Problem

TheAnswers = Annotated[SeldonAnswers, part("seldon")]
# Seldon's clients leave out the namespace if they have none. Version 0.1 is what Seldon Core called the same requests.
GATEWAYS = ("", "/seldon/{namespace}/{deployment}", "/seldon/{deployment}")
VERSIONS = ("v1.0", "v0.1")
DESCRIBED = tuple(product(GATEWAYS[:2], VERSIONS[:1]))


def seldon_router(problem: Problem) -> APIRouter:
    """Return the routes of each gateway and version; OpenAPI describes the first ones of each."""
    router = APIRouter(tags=["seldon"])
    protocol = _protocol(problem)
    for gateway, version in product(GATEWAYS, VERSIONS):
        router.include_router(
            protocol,
            prefix=f"{gateway}/api/{version}",
            dependencies=[Depends(_deployment)] if "{namespace}" in gateway else [],
            include_in_schema=(gateway, version) in DESCRIBED,
        )
    return router


def _protocol(problem: Problem) -> APIRouter:
    router = APIRouter(route_class=BoundedRoute)
    reader = RowReader(problem)
    # A type checker cannot know these types, because they are made from the problem's features at run time.
    Body: Any = request_model(problem)
    FeedbackBody: Any = feedback_model(problem)

    @router.post("/predictions", responses=responses(400, 413, 415, 422, 503))
    async def post_predictions(
        body: Body, served: ServedModel, predictor: ThePredictor, answers: TheAnswers, offload: Offload
    ) -> Output:
        """Predict, as `POST /predict` does. A tensor is answered by a tensor. The same is at `/api/v0.1`."""
        metrics = await answers.metrics(served)
        as_tensor = getattr(body.data, "tensor", None) is not None

        def work() -> Output:
            rows = reader.rows(body.data, "data")
            return answers.output(predictor.predict(served, rows), metrics, as_tensor=as_tensor)

        found: Output = await offload(work)
        return found

    @router.post("/feedback", dependencies=[WITH_KEY], responses=responses(400, 401, 413, 415, 422, 503))
    async def post_seldon_feedback(  # noqa: PLR0913, PLR0917  # FastAPI gives each by its name
        body: FeedbackBody,
        sender: TheSender,
        served: ServedModel,
        store: TheStore,
        predictor: ThePredictor,
        answers: TheAnswers,
        offload: Offload,
    ) -> Judged:
        """Predict rows whose ground truth is known, and keep both, durably.

        The protocol has no id for a prediction, so each call makes new predictions. The same is at `/api/v0.1`.
        """
        answered = await offload(lambda: answer(served, reader.rows(body.request.data, "request", "data")))
        truths = class_names(body.truth.data, len(answered), served.model.classes)
        source, trusted = sender.source, sender.trusted
        rows = answered.log_rows(problem)
        await store.write(lambda of: of.known_rows.write(rows, truths, source=source, trusted=trusted))
        predictor.offer(answered)
        return Judged(data={}, meta=meta_of(answered) | await answers.metrics(served, now=True))

    return router


async def _deployment(namespace: str, deployment: str) -> None:
    """Declare the path's parameters. All names lead to the one deployment that there is."""
