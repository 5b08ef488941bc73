"""The settings of `common/signing/`."""

from pydantic import BaseModel, Field, SecretStr


class SigningSettings(BaseModel):
    """The key of the versions, and whether there may be versions without it."""

    signing_key: SecretStr | None = Field(None, min_length=16, description="key that signs and checks versions")
    allow_unsigned: bool | None = Field(None, description="whether unsigned versions are used; default: MLflow is here")
