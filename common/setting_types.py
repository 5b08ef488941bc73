"""Types that several settings have."""

from typing import Annotated

from pydantic import Field

Port = Annotated[int, Field(ge=1, le=65535)]
WebAddress = Annotated[str, Field(pattern=r"^https?://")]
