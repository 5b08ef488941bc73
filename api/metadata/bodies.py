"""The body of `GET /metadata`."""

from typing import Any

from pydantic import BaseModel, Field


class ModelTensor(BaseModel):
    """An input or an output of the model."""

    name: str = Field(examples=["input"])
    dtype: str = Field(examples=["float32"])
    shape: list[int | None] = Field(examples=[[None, 4]], description="null: any number of rows")
    columns: list[dict[str, Any]] = Field(description="the columns of the second dimension, in order")
    sample: list[Any] = Field(examples=[[[5.1, 3.5, 1.4, 0.2]]])


class Metadata(BaseModel):
    """Data type, structure and a sample of the model's input and output.

    `inputs` and `outputs` have one entry for each tensor. The other fields say the same in the nine keys of the
    prediction-monitoring pattern, for one row: types as text, structures as `(rows,columns)`.
    """

    model_name: str
    model_version: int
    inputs: list[ModelTensor]
    outputs: list[ModelTensor]
    data_type: str = Field(examples=["float32"], description="of the features; several if some are texts")
    data_structure: str = Field(examples=["(1,4)"], description="rows and features")
    data_sample: list[list[float | str]] = Field(examples=[[[5.1, 3.5, 1.4, 0.2]]])
    prediction_type: str = Field(examples=["float32"])
    prediction_structure: str = Field(examples=["(1,3)"], description="rows and classes, or (1,1) for a class index")
    prediction_sample: list[float] = Field(
        examples=[[0.97, 0.02, 0.01]], description="the probability of each class; without probabilities, the index"
    )
    outlier_type: str | None = Field(examples=["bool, float32"], description="null for a model without outlier scores")
    outlier_structure: str | None = Field(examples=["(1,2)"])
    outlier_sample: list[bool | float] | None = Field(
        examples=[[False, 0.4]], description="whether the sample is an outlier, and its score"
    )
