"""The settings of `monitor/`."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationInfo

from common.setting_types import WebAddress


def _web_address(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return value


def _not_shorter(seconds: int, info: ValidationInfo) -> int:
    if seconds < info.data.get("evaluate_seconds", seconds):
        raise ValueError("must be at least EVALUATE_SECONDS, so that no prediction falls between two windows")
    return seconds


class MonitorSettings(BaseModel):
    """How often the monitor looks, and the addresses to which it sends."""

    evaluate_seconds: int = Field(60, ge=1, le=86_400, description="how often the monitor evaluates a window")
    window_seconds: Annotated[int, AfterValidator(_not_shorter)] = Field(
        default_factory=lambda given: max(300, given.get("evaluate_seconds", 0)),
        le=86_400,
        description="length of a window; windows overlap if it is longer than EVALUATE_SECONDS",
    )
    export_seconds: int = Field(3600, ge=1, le=604_800, description="how often the monitor exports to MLflow")
    alert_webhook_url: Annotated[SecretStr, AfterValidator(_web_address)] | None = Field(
        None, description="the address to which the monitor posts each alert once, as JSON, if set"
    )
    api_url: WebAddress = Field(
        default_factory=lambda given: f"http://127.0.0.1:{given.get('api_port', 8000)}",
        description="the api of the problem, to which the monitor's page sends ground truths",
    )
