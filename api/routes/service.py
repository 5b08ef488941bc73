"""Routes that describe the service: whether it lives and is ready, and the inputs and outputs of its model."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from api.http.errors import responses
from api.routes.dependencies import ServedModel
from api.schemas.requests import sample_row
from api.schemas.responses import Health, Metadata, Tensor
from common.problem import Feature, Problem, Value


def service_router(problem: Problem) -> APIRouter:
    """Return the routes that describe the service of `problem`."""
    router = APIRouter(tags=["service"])

    @router.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        """Lead people to the documentation."""
        return RedirectResponse("/docs")

    @router.get("/health")
    @router.get("/livez", summary="The process lives")
    async def health() -> Health:
        """Answer as long as the process lives, with or without a model."""
        return Health()

    @router.get("/readyz", summary="There is a model, and it answers", responses=responses(503))
    async def ready(served: ServedModel) -> Health:
        """Answer 200 when predictions can be had, else 503."""
        served.model.check_golden()
        return Health()

    @router.get("/label", summary="Class names by index", responses=responses(503))
    async def label(served: ServedModel) -> dict[int, str]:
        """Return the names of the classes by their index in the model's output."""
        return dict(enumerate(served.model.classes))

    @router.get("/metadata", summary="What goes in and what comes out", responses=responses(503))
    async def metadata(served: ServedModel) -> Metadata:
        """Return data type, structure and a sample of the model's input and output."""
        return _metadata(problem, served)

    return router


def _inputs(problem: Problem, sample: list[list[Value]]) -> list[Tensor]:
    if problem.is_numeric:
        columns = [_described(feature) for feature in problem.features]
        return [Tensor(name="input", dtype="float32", shape=[None, len(columns)], columns=columns, sample=sample)]
    return [
        Tensor(
            name=feature.name,
            dtype="float32" if feature.kind == "number" else "string",
            shape=[None, 1],
            columns=[_described(feature)],
            sample=[[value]],
        )
        for feature, value in zip(problem.features, sample[0], strict=True)
    ]


def _described(feature: Feature) -> dict[str, Any]:
    if feature.kind == "category":
        return {"name": feature.name, "kind": feature.kind, "categories": list(feature.categories)}
    return {name: getattr(feature, name) for name in ("name", "kind", "unit", "minimum", "maximum")}


def _metadata(problem: Problem, served: ServedModel) -> Metadata:
    sample = sample_row(problem)
    answer = served.model.predict(served.model.as_rows(sample))
    classes = [{"name": name} for name in served.model.classes]
    outputs = {
        "label": (answer.labels, "int64", []),
        "probabilities": (answer.probabilities, "float32", classes),
        "outlier_score": (answer.outlier_scores, "float32", []),
    }
    return Metadata(
        model_name=served.version.name,
        model_version=served.version.number,
        inputs=_inputs(problem, sample),
        outputs=[
            Tensor(name=name, dtype=dtype, shape=[None, *values.shape[1:]], columns=columns, sample=values.tolist())
            for name, (values, dtype, columns) in outputs.items()
            if values is not None
        ],
    )
