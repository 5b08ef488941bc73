"""The settings of `common/browsers/`."""

from pydantic import BaseModel, Field


class BrowserSettings(BaseModel):
    """Names by which browsers reach the services."""

    allowed_hosts: str = Field(
        "", pattern=r"^[\w.*, -]*$", description="further names by which browsers reach api and monitor"
    )
