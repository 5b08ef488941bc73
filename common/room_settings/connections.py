"""The settings of `common/connections/`."""

from typing import Annotated

from pydantic import BaseModel, Field

Wait = Annotated[float, Field(gt=0, le=3600)]  # in seconds


class ConnectionSettings(BaseModel):
    """Limits on the connections of one process."""

    max_connections: int = Field(800, ge=1, le=100_000, description="most connections in one process of api or monitor")
    max_header_bytes: int = Field(65_536, ge=1024, le=2**20, description="largest head of a request")
    max_unread_bytes: int = Field(
        2**27, ge=2**20, le=2**36, description="memory for requests that one process has not yet received completely"
    )
    header_seconds: Wait = Field(10, description="time limit for receiving the head of a request")
    body_seconds: Wait = Field(60, description="time limit for receiving a body, and for sending an answer")
    idle_seconds: Wait = Field(75, description="time that a connection may wait for its next request")
    drain_seconds: float = Field(
        0, ge=0, le=60, description="time after SIGTERM in which the api still answers, while its health checks fail"
    )
