"""The filter of the predictions, as the URL has it."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints

from common.store.monitoring.prediction_search import Only, Position


def blank(value: Any) -> Any:
    """Return None for "", which a form sends for an empty field."""
    return None if value == "" else value


def _position(text: str) -> str:
    if text:
        Position.read(text)
    return text


# PostgreSQL text cannot contain the character 0.
ClassName = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00]*$")]
After = Annotated[str, StringConstraints(max_length=128, pattern=r"^[^\x00]*$"), AfterValidator(_position)]
Percent = Annotated[float | None, Field(ge=0, le=100), BeforeValidator(blank)]


class PredictionFilter(BaseModel):
    """The predictions that the tab shows."""

    only: Only = Field("", description="predictions that are wrong, outliers, or unlabelled; default: all")
    of_class: ClassName = Field("", description="class that was answered; default: all")
    below: Percent = Field(None, description="the confidence is below so many percent")
    after: After = Field("", description="position after which the page begins; default: the newest prediction")

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves predictions out."""
        return bool(self.only or self.of_class or self.below is not None)

    @property
    def position(self) -> Position | None:
        """The position after which the page begins."""
        return Position.read(self.after) if self.after else None
