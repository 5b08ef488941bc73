"""The description of the served model's input and output over HTTP."""

from typing import Any

from fastapi import APIRouter

from api.http.errors import responses
from api.metadata.bodies import Metadata, ModelTensor
from api.model.follower import ServedVersion
from api.routes.dependencies import ServedModel
from api.schemas.requests import sample_row
from common.bundle.model import Answer
from common.problem import Feature, Problem, Value


def metadata_router(problem: Problem) -> APIRouter:
    """Return the route that describes the model of `problem`."""
    router = APIRouter(tags=["service"])

    @router.get("/metadata", summary="What goes in and what comes out", responses=responses(503))
    async def metadata(served: ServedModel) -> Metadata:
        """Return data type, structure and a sample of the model's input and output."""
        return _metadata(problem, served)

    return router


def _metadata(problem: Problem, served: ServedVersion) -> Metadata:
    sample = sample_row(problem)
    answer = served.model.predict(served.model.as_rows(sample))
    inputs = _inputs(problem, sample)
    return Metadata(
        model_name=served.version.name,
        model_version=served.version.number,
        inputs=inputs,
        outputs=_outputs(served, answer),
        data_type=", ".join(dict.fromkeys(each.dtype for each in inputs)),
        data_structure=f"(1,{len(problem.features)})",
        data_sample=sample,
        **_prediction(answer),
        **_outlier(served, answer),
    )


def _inputs(problem: Problem, sample: list[list[Value]]) -> list[ModelTensor]:
    if problem.is_numeric:
        columns = [_described(feature) for feature in problem.features]
        return [ModelTensor(name="input", dtype="float32", shape=[None, len(columns)], columns=columns, sample=sample)]
    return [
        ModelTensor(
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


def _outputs(served: ServedVersion, answer: Answer) -> list[ModelTensor]:
    classes = [{"name": name} for name in served.model.classes]
    outputs = {
        "label": (answer.labels, "int64", []),
        "probabilities": (answer.probabilities, "float32", classes),
        "outlier_score": (answer.outlier_scores, "float32", []),
    }
    return [
        ModelTensor(name=name, dtype=dtype, shape=[None, *values.shape[1:]], columns=columns, sample=values.tolist())
        for name, (values, dtype, columns) in outputs.items()
        if values is not None
    ]


def _prediction(answer: Answer) -> dict[str, Any]:
    shares = answer.probabilities
    sample = answer.labels.tolist() if shares is None else shares[0].tolist()
    return {
        "prediction_type": "int64" if shares is None else "float32",
        "prediction_structure": f"(1,{len(sample)})",
        "prediction_sample": sample,
    }


def _outlier(served: ServedVersion, answer: Answer) -> dict[str, Any]:
    flags, scores = served.model.is_outlier(answer), answer.outlier_scores
    if flags is None or scores is None:
        return {"outlier_type": None, "outlier_structure": None, "outlier_sample": None}
    sample = [*flags.tolist(), *scores.tolist()]
    return {"outlier_type": "bool, float32", "outlier_structure": "(1,2)", "outlier_sample": sample}
