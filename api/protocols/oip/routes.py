"""The routes of the Open Inference Protocol v2."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from api.guards.body_guard import untyped_paths
from api.protocols.oip.errors import PREFIX, add_oip_errors, oip_responses
from api.protocols.oip.infer import BINARY, AskedVersion, Inference
from api.protocols.oip.openapi import infer_description, model_description
from api.protocols.oip.types import (
    EXTENSIONS,
    JSON_LENGTH,
    PLATFORM,
    InferResponse,
    Live,
    ModelMetadata,
    ModelReady,
    Ready,
    ServerMetadata,
    inputs_of,
    outputs_of,
)
from api.routes.dependencies import NO_MODEL, ServedModel, part
from common.problem import Problem

ANSWER: dict[int | str, dict[str, Any]] = {200: {"model": InferResponse, "content": {BINARY: {}}}}
SERVER = "closed-loop-mlops-lab"


TheInference = Annotated[Inference, part("inference")]


class TrailingSlashes:
    """ASGI middleware: a path of the protocol means the same with a slash at its end.

    Some clients send the slash, and do not follow redirects.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the slash away."""
        path = scope.get("path", "")
        if path.startswith(f"{PREFIX}/") and path.endswith("/"):
            scope = {**scope, "path": path[:-1]}
        await self.app(scope, receive, send)


def add_oip(app: FastAPI) -> None:
    """Prepare an application for the paths of the protocol: errors, bodies and slashes. The routes are `oip_router`."""
    add_oip_errors()
    # Tensors may be binary, and clients of this protocol declare JSON as anything, or not at all.
    untyped_paths.add(re.compile(f"{PREFIX}/models/.*/infer"))
    app.add_middleware(TrailingSlashes)


def oip_router(problem: Problem) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix=PREFIX, tags=["open inference protocol"])
    # FastAPI tries routes one after the other, so the busiest come first.
    for add in (_add_infer, _add_model):
        for versions in ("", "/versions/{version}"):
            add(router, problem, versions)
    _add_server(router)
    return router


def _add_infer(router: APIRouter, problem: Problem, versions: str) -> None:
    @router.post(
        f"/models/{{name}}{versions}/infer",
        summary="Predict",
        responses=ANSWER | oip_responses(400, 404, 413, 415, 503),
        openapi_extra=infer_description(problem, versions),
    )
    async def post_infer(request: Request, inference: TheInference) -> Response:
        """Predict as `POST /predict` does, by the version in the path or else by the champion. All rows are logged."""
        body, asked = await _body(request), _named(problem, request)
        found = await inference.answer(asked, body, request.headers.get(JSON_LENGTH))
        return Response(found.content, headers=found.headers)


def _add_model(router: APIRouter, problem: Problem, versions: str) -> None:
    path, described = f"/models/{{name}}{versions}", model_description(problem, versions)

    @router.get(path, summary="Versions and tensors", responses=oip_responses(404, 503), openapi_extra=described)
    async def get_model(request: Request) -> ModelMetadata:
        """Return the versions that answer, and the input and output tensors."""
        return ModelMetadata(
            name=problem.onnx_name,
            versions=[str(each.served.version.number) for each in _serving(request)],
            platform=PLATFORM,
            inputs=inputs_of(problem),
            outputs=outputs_of(_named(problem, request).served.model),
        )

    @router.get(
        f"{path}/ready", summary="The model answers", responses=oip_responses(404, 503), openapi_extra=described
    )
    async def get_model_ready(request: Request) -> ModelReady:
        """Answer 200 when this version can predict."""
        _named(problem, request).served.model.check_golden()
        return ModelReady(name=problem.onnx_name)


def _add_server(router: APIRouter) -> None:
    @router.get("", summary="Name and version of the service")
    async def get_server(request: Request) -> ServerMetadata:
        """Return name and version of the service, and the extensions of the protocol that it understands."""
        return ServerMetadata(name=SERVER, version=request.app.version, extensions=EXTENSIONS)

    @router.get("/health/live", summary="The process lives")
    async def get_live() -> Live:
        """Answer as long as the process lives, with or without a model."""
        return Live()

    @router.get("/health/ready", summary="There is a model, and it answers", responses=oip_responses(503))
    async def get_ready(served: ServedModel) -> Ready:
        """Answer 200 when the service can predict, else 503."""
        served.model.check_golden()
        return Ready()


def _serving(request: Request) -> list[AskedVersion]:
    """Return the versions that answer now, the champion first."""
    followers = (request.app.state.champion, request.app.state.challenger)
    return [AskedVersion(each.current, each.role) for each in followers if each and each.current]


def _named(problem: Problem, request: Request) -> AskedVersion:
    """Return the version in a path; the champion, if the path has no number."""
    name, number = request.path_params["name"], request.path_params.get("version")
    if name != problem.onnx_name:
        raise HTTPException(404, f"there is no model {name!r}; there is {problem.onnx_name}")
    serving = _serving(request)
    if number is None:
        serving = [asked for asked in serving if asked.role == "champion"]
    if not serving:
        raise HTTPException(503, NO_MODEL)
    by_number = {str(asked.served.version.number): asked for asked in reversed(serving)}
    if number is not None and number not in by_number:
        raise HTTPException(404, f"version {number} of {name} is not in service; there is {' and '.join(by_number)}")
    return by_number[number] if number is not None else serving[0]


async def _body(request: Request) -> bytes:
    try:
        return await request.body()
    except ClientDisconnect as error:
        raise HTTPException(400, "the body is incomplete") from error
