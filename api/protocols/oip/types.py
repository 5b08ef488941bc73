"""The shapes of the Open Inference Protocol v2.

Source: KServe's "Open Inference Protocol" (REST), and Triton's "Binary tensor data extension".
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from common.bundle.model import OUTLIER_SCORE, OnnxModel
from common.problem import Problem

INPUT = "input"  # of models that take all features as one array of numbers
LABEL, PROBABILITIES, CLASS_NAME, PREDICTION_ID = "label", "probabilities", "class_name", "prediction_id"
TEXT = "BYTES"
# Of the outputs, in their order.
DATATYPES = {LABEL: "INT64", PROBABILITIES: "FP32", OUTLIER_SCORE: "FP32", CLASS_NAME: TEXT, PREDICTION_ID: TEXT}
EXTENSIONS = ["binary_tensor_data"]
PLATFORM = "onnx_onnxv1"
JSON_LENGTH = "Inference-Header-Content-Length"  # the header that says where the JSON ends and binary tensors begin

FIRST = Field(fail_fast=True)  # the first wrong value says enough
MANY = Field(fail_fast=True, max_length=10_000)  # more tensors than any model has
Name = Annotated[str, Field(max_length=256)]
# Looked at where it becomes an array: value by value would take as long as all the rest.
TensorData = Annotated[list[float | str | list[float | str]] | None, SkipValidation]


class OipModel(BaseModel):
    """A part of a request. What is not known is tolerated, and null is as good as nothing: clients send both."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class InputParameters(OipModel):
    """How an input is sent."""

    binary_data_size: int | None = Field(None, ge=0, description="bytes of this tensor behind the JSON")


class RequestInput(OipModel):
    """An input tensor: its `data` are here, flat or nested, or behind the JSON."""

    name: Name
    datatype: Name
    shape: Annotated[list[int], Field(fail_fast=True, max_length=8)]
    data: TensorData = None
    parameters: InputParameters | None = None


class OutputParameters(OipModel):
    """How an output is to be sent."""

    binary_data: bool | None = Field(None, description="behind the JSON")
    classification: int | None = Field(None, description="Triton's classification, which is refused")


class RequestOutput(OipModel):
    """An output tensor that is wanted."""

    name: Name
    parameters: OutputParameters | None = None


class RequestParameters(OipModel):
    """How outputs are to be sent that do not say it themselves."""

    binary_data_output: bool | None = Field(None, description="behind the JSON")


class InferRequest(OipModel):
    """Rows to be answered. Without `outputs`, all are given."""

    id: str | None = Field(None, description="is repeated in the answer")
    parameters: RequestParameters | None = None
    inputs: Annotated[list[RequestInput], MANY]
    outputs: Annotated[list[RequestOutput], MANY] | None = None


class ResponseOutput(BaseModel):
    """An output tensor, flat, row by row; without `data` it is behind the JSON, in order."""

    name: str
    datatype: str
    shape: list[int]
    data: list[float | str] | None = None
    parameters: dict[str, Any] | None = None


class InferResponse(BaseModel):
    """The answers, all by one version."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]


class TensorMetadata(BaseModel):
    """A tensor; -1 stands for any number of rows."""

    name: str = Field(examples=[INPUT])
    datatype: str = Field(examples=["FP32"])
    shape: list[int] = Field(examples=[[-1, 4]])


class ModelMetadata(BaseModel):
    """A model: the versions that can be asked for, and its tensors."""

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
    """The process lives."""

    live: bool = True


class Ready(BaseModel):
    """There is a model, and it answers."""

    ready: bool = True


class ModelReady(Ready):
    """The version that is asked about answers."""

    name: str


def inputs_of(problem: Problem) -> list[TensorMetadata]:
    """Return the inputs of a problem's models: one array where all features are numbers, else a tensor a column."""
    if problem.is_numeric:
        return [TensorMetadata(name=INPUT, datatype="FP32", shape=[-1, len(problem.features)])]
    return [
        TensorMetadata(name=feature.name, datatype="FP32" if feature.kind == "number" else TEXT, shape=[-1, 1])
        for feature in problem.features
    ]


def outputs_of(model: OnnxModel) -> list[TensorMetadata]:
    """Return the outputs: those of the file, and for people the names of the classes and the predictions' ids."""
    widths = {PROBABILITIES: [len(model.classes)]}
    return [
        TensorMetadata(name=name, datatype=DATATYPES[name], shape=[-1, *widths.get(name, [])])
        for name in output_names(model)
    ]


def output_names(model: OnnxModel) -> list[str]:
    """Return the names of `outputs_of` alone, which every request asks for."""
    missing = {PROBABILITIES: not model.has_probabilities, OUTLIER_SCORE: model.outlier_threshold is None}
    return [name for name in DATATYPES if not missing.get(name)]
