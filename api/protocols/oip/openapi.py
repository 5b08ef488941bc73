"""OpenAPI descriptions for the routes of the Open Inference Protocol, because FastAPI does not read their bodies."""

from functools import cache
from typing import Any

from api.protocols.oip.infer import BINARY, JSON
from api.protocols.oip.types import JSON_LENGTH, InferRequest, inputs_of
from common.problem import Problem


def model_description(problem: Problem, base: str) -> dict[str, Any]:
    """Return the parameters of a path that has the part `base`, in the form of OpenAPI."""
    name = {"type": "string", "enum": [problem.onnx_name]}
    parameters = [{"name": "name", "in": "path", "required": True, "schema": name}]
    if "{version}" in base:
        number = {"type": "string", "examples": ["1"]}
        meaning = "the number of the champion or of the challenger"
        parameters.append({"name": "version", "in": "path", "required": True, "schema": number, "description": meaning})
    return {"parameters": parameters}


def infer_description(problem: Problem, base: str) -> dict[str, Any]:
    """Return the parameters and the body of an inference, in the form of OpenAPI, with an example that can be sent."""
    described = model_description(problem, base)
    length = {"type": "string", "pattern": "^[0-9]{1,9}$"}
    meaning = "the length of the JSON, which binary tensors follow; without this header all of the body is JSON"
    described["parameters"].append({"name": JSON_LENGTH, "in": "header", "schema": length, "description": meaning})
    schema = _infer_schema() | {"examples": [example(problem)]}
    binary = {"schema": {"type": "string", "format": "binary"}}
    content = {JSON: {"schema": schema}, BINARY: binary}
    return described | {"requestBody": {"required": True, "content": content}}


@cache  # making it takes 8 ms, which each route would add to the start
def _infer_schema() -> dict[str, Any]:
    whole = InferRequest.model_json_schema()
    schema: dict[str, Any] = _inline(whole, whole["$defs"])
    return schema


def example(problem: Problem) -> dict[str, Any]:
    """Return a request about the features' examples, for all outputs."""
    values = [feature.example for feature in problem.features]
    data = [values] if problem.is_numeric else [[value] for value in values]
    inputs = [
        {"name": known.name, "shape": [1, known.shape[1]], "datatype": known.datatype, "data": tensor}
        for known, tensor in zip(inputs_of(problem), data, strict=True)
    ]
    return {"id": "42", "inputs": inputs}


def _inline(part: Any, models: dict[str, Any]) -> Any:
    """Return a schema with its models in place of their references, which OpenAPI would look for elsewhere."""
    match part:
        case {"$ref": str(name)}:
            return _inline(models[name.rpartition("/")[2]], models)
        case dict():
            return {key: _inline(value, models) for key, value in part.items() if key != "$defs"}
        case list():
            return [_inline(each, models) for each in part]
    return part
