"""The requests and responses of the Open Inference Protocol v2, and the tensors of a problem's models.

Source: KServe's "Open Inference Protocol" (REST), and Triton's "Binary tensor data extension".
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from common.bundle.model import OUTLIER_SCORE, OnnxModel
from common.problem import Problem

INPUT = "input"  # of models that take all features as one array of numbers
LABEL, PROBABILITIES, CLASS_NAME, PREDICTION_ID = "label", "probabilities", "class_name", "prediction_id"
TEXT = "BYTES"
# The datatypes of the outputs, in their order.
DATATYPES = {LABEL: "INT64", PROBABILITIES: "FP32", OUTLIER_SCORE: "FP32", CLASS_NAME: TEXT, PREDICTION_ID: TEXT}
EXTENSIONS = ["binary_tensor_data"]
PLATFORM = "onnx_onnxv1"
JSON_LENGTH = "Inference-Header-Content-Length"  # the header with the length of the JSON; binary tensors follow it

MANY = Field(fail_fast=True, max_length=10_000)  # more tensors than any model has
Name = Annotated[str, Field(max_length=256)]
# `tensors.py` checks the values when it makes an array of them. Here, one by one, it would double the time.
TensorData = Annotated[list[float | str | list[float | str]] | None, SkipValidation]


class OipModel(BaseModel):
    """A part of a request. Unknown fields are ignored, and null means the same as no field: clients send both."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class InputParameters(OipModel):
    """The form in which an input is sent."""

    binary_data_size: int | None = Field(None, ge=0, description="bytes of this tensor behind the JSON")


class RequestInput(OipModel):
    """An input tensor. Its `data` are here, flat or nested, or binary behind the JSON."""

    name: Name
    datatype: Name
    shape: Annotated[list[int], Field(fail_fast=True, max_length=8)]
    data: TensorData = None
    parameters: InputParameters | None = None


class OutputParameters(OipModel):
    """The form in which the client wants an output."""

    binary_data: bool | None = Field(None, description="whether it is to follow the JSON in binary")
    classification: int | None = Field(None, description="Triton's classification, which this service refuses")


class RequestOutput(OipModel):
    """An output tensor that the client wants."""

    name: Name
    parameters: OutputParameters | None = None


class RequestParameters(OipModel):
    """The form of all outputs that have no parameters of their own."""

    binary_data_output: bool | None = Field(None, description="whether they are to follow the JSON in binary")


class InferRequest(OipModel):
    """Rows to be answered. Without `outputs`, the response has all outputs."""

    id: str | None = Field(None, description="is repeated in the response")
    parameters: RequestParameters | None = None
    inputs: Annotated[list[RequestInput], MANY]
    outputs: Annotated[list[RequestOutput], MANY] | None = None


class ResponseOutput(BaseModel):
    """An output tensor, flat, row by row. Without `data` it follows the JSON in binary; these are in order."""

    name: str
    datatype: str
    shape: list[int]
    data: list[float | str] | None = None
    parameters: dict[str, Any] | None = None


class InferResponse(BaseModel):
    """The predictions for all rows, by one version."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]


class TensorMetadata(BaseModel):
    """A tensor of a model; -1 stands for any number of rows."""

    name: str = Field(examples=[INPUT])
    datatype: str = Field(examples=["FP32"])
    shape: list[int] = Field(examples=[[-1, 4]])


class ModelMetadata(BaseModel):
    """A model: the versions that answer, and its tensors."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(BaseModel):
    """The service."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """The process is alive."""

    live: bool = True


class Ready(BaseModel):
    """The service has a model that answers."""

    ready: bool = True


class ModelReady(Ready):
    """The version in the path answers."""

    name: str


def inputs_of(problem: Problem) -> list[TensorMetadata]:
    """Return the inputs of a problem's models: one array where all features are numbers, else a tensor for each."""
    if problem.is_numeric:
        return [TensorMetadata(name=INPUT, datatype="FP32", shape=[-1, len(problem.features)])]
    return [
        TensorMetadata(name=feature.name, datatype="FP32" if feature.kind == "number" else TEXT, shape=[-1, 1])
        for feature in problem.features
    ]


def outputs_of(model: OnnxModel) -> list[TensorMetadata]:
    """Return the outputs of a model: those of its file, and the names of the classes and the ids of the predictions."""
    widths = {PROBABILITIES: [len(model.classes)]}
    return [
        TensorMetadata(name=name, datatype=DATATYPES[name], shape=[-1, *widths.get(name, [])])
        for name in output_names(model)
    ]


def output_names(model: OnnxModel) -> list[str]:
    """Return the names of `outputs_of`. Every request needs them, so they are made without the rest."""
    missing = {PROBABILITIES: not model.has_probabilities, OUTLIER_SCORE: model.outlier_threshold is None}
    return [name for name in DATATYPES if not missing.get(name)]
