"""The settings of `api/protocols/`."""

from typing import Literal

from pydantic import BaseModel, Field


class ProtocolSettings(BaseModel):
    """The form of Seldon's answers."""

    seldon_answers: Literal["probabilities", "class"] = Field("probabilities", description="data of Seldon's answers")
