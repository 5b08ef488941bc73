"""The settings of `scripts/`, which `monitor/` reads, too."""

from pydantic import BaseModel, Field

from common.setting_types import Port, WebAddress


class ScriptSettings(BaseModel):
    """Ports of the programs that scripts start, and addresses in links for people."""

    monitor_port: Port = Field(5004, description="port of the monitor that `make up` starts")
    prometheus_port: Port = Field(9090, description="port of the Prometheus that `make watch` starts")
    mlflow_page: WebAddress = Field(
        default_factory=lambda given: given.get("mlflow_uri", ""),
        description="the address of MLflow in links, for people",
    )
    prefect_page: WebAddress = Field(
        default_factory=lambda given: str(given.get("prefect_api_url", "")).rstrip("/").removesuffix("/api"),
        description="the address of Prefect in links, for people",
    )
    monitor_page: WebAddress = Field(
        default_factory=lambda given: f"http://127.0.0.1:{given.get('monitor_port', 5004)}",
        description="the address of the monitor's page in links, for people",
    )
