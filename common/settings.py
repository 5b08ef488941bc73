"""Every setting of the lab. No other file reads the environment."""

import base64
import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parents[1]
# Keys of `.env` that only docker compose reads; .env.example and containers/lesson.env explain them.
COMPOSE_KEYS = frozenset({
    "alertmanager_port", "api_published_port", "compose_file", "compose_path_separator", "front_subnet", "grafana_port",
    "grafana_admin_password", "lab_data", "lab_gid", "lab_uid", "postgres_password", "publish_address",
})  # fmt: skip


def _file_of_problem(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
        raise ValueError(f"{value!r} is not the name of a file in problems/: use small letters, digits and underscores")
    return value


def _addresses(value: str) -> str:
    for each in value.split(",") if value not in {"", "*"} else ():
        ip_network(each.strip())
    return value


def _web_address(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return value


def _not_shorter(seconds: int, info: ValidationInfo) -> int:
    if seconds < info.data.get("evaluate_seconds", seconds):
        raise ValueError("must be at least EVALUATE_SECONDS, so that no prediction falls between two windows")
    return seconds


Port = Annotated[int, Field(ge=1, le=65535)]
WebAddress = Annotated[str, Field(pattern=r"^https?://")]
Wait = Annotated[float, Field(gt=0, le=3600)]  # in seconds


class SettingsError(ValueError):
    """A setting has a wrong value, or `.env` has an unknown key."""


class MlflowLogin(BaseSettings):
    """The log-in for MLflow, in MLflow's own variables, which its package also reads from the environment."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore")

    mlflow_tracking_username: str | None = Field(None, description="user name for MLflow")
    mlflow_tracking_password: SecretStr | None = Field(None, description="password of MLFLOW_TRACKING_USERNAME")
    mlflow_tracking_token: SecretStr | None = Field(None, description="bearer token, without a password")

    def mlflow_headers(self) -> dict[str, str]:
        """Return the headers that log in as MLflow's package does: by password, else by token; nothing without both."""
        username, password = self.mlflow_tracking_username, _text(self.mlflow_tracking_password)
        if username and password:
            return {"Authorization": f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"}
        token = _text(self.mlflow_tracking_token)
        return {"Authorization": f"Bearer {token}"} if token else {}


class Settings(MlflowLogin):
    """Settings from the environment, then from `.env` in the project's folder.

    An empty variable counts as not set. A key of `.env` must be a setting or one of `COMPOSE_KEYS`.
    """

    model_config = SettingsConfigDict(
        env_file=PROJECT / ".env", env_ignore_empty=True, extra="forbid", frozen=True, populate_by_name=True
    )

    problem: Annotated[str, AfterValidator(_file_of_problem)] = Field(
        "iris", description="the file of problems/ to work on"
    )
    mlflow_port: Port = Field(5000, description="port of the MLflow server that `make up` starts")
    prefect_port: Port = Field(4200, description="port of the Prefect server that `make up` starts")
    api_port: Port = Field(8000, description="port of the api that `make up` and `make api` start")
    api_workers: int = Field(1, ge=1, le=128, description="number of processes that serve the api on its port")
    monitor_port: Port = Field(5004, description="port of the monitor that `make up` starts")
    prometheus_port: Port = Field(9090, description="port of the Prometheus that `make watch` starts")
    mlflow_uri: WebAddress = Field(
        default_factory=lambda given: f"http://127.0.0.1:{given.get('mlflow_port', 5000)}",
        validation_alias=AliasChoices("MLFLOW_URI", "MLFLOW_URL"),
        description="the MLflow server; MLFLOW_URL is accepted too",
    )
    prefect_api_url: WebAddress = Field(
        default_factory=lambda given: f"http://127.0.0.1:{given.get('prefect_port', 4200)}/api",
        description="the Prefect server's API, with /api at the end",
    )
    api_url: WebAddress = Field(
        default_factory=lambda given: f"http://127.0.0.1:{given.get('api_port', 8000)}",
        description="the api of the problem, to which the monitor's page sends ground truths",
    )
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
    lab_home: Annotated[Path, AfterValidator(Path.resolve)] = Field(
        PROJECT, description="the folder that holds data/, models/ and .lab/"
    )
    database_url: str = Field(
        default_factory=lambda given: f"sqlite:///{given.get('lab_home', PROJECT)}/data/lab.db",
        description="SQLAlchemy URL of the store",
    )
    api_key: SecretStr | None = Field(None, description="key for X-API-Key in requests that change something")
    review_key: SecretStr | None = Field(None, description="key for reviewing corrections; default: API_KEY")
    signing_key: SecretStr | None = Field(None, min_length=16, description="key that signs and checks versions")
    allow_unsigned: bool | None = Field(None, description="whether unsigned versions are used; default: MLflow is here")
    suggest_rate: str = Field(
        "120/minute",
        pattern=r"^[1-9][0-9]*/(second|minute|hour|day)$",
        description="number of corrections that one client may send",
    )
    gate: Literal["evidence", "threshold"] = Field(
        "evidence",
        description="the rule for a new version: the evidence of many rows, or 90 % accuracy on test.csv (threshold)",
    )
    promotion: Literal["optimistic", "cautious", "manual"] = Field(
        "optimistic", description="which new versions serve at once; docs/judgement.md explains the three values"
    )
    vetting: Literal["on", "off"] = Field("on", description="whether corrections are vetted before they are learnt")
    vetting_neighbours: int = Field(10, ge=1, le=100, description="nearest rows that vetting looks at")
    vetting_probability: float = Field(0.175, ge=0, le=1, description="least probability of a correction's class")
    quotas: Literal["auto", "on", "off"] = Field("auto", description="the next three; auto: if REVIEW_KEY is set")
    quota_batch: int = Field(2, ge=1, le=5, description="corrections of one source in a batch of five")
    quota_day: int = Field(20, ge=1, le=100_000, description="corrections of one source in 24 hours")
    quota_share: float = Field(0.1, gt=0, le=10, description="unreviewed corrections, as a share of train.csv's rows")
    forwarded_allow_ips: Annotated[str, AfterValidator(_addresses)] = Field(
        "", description="addresses of the proxies whose X-Forwarded-For counts"
    )
    max_connections: int = Field(800, ge=1, le=100_000, description="most connections in one process of api or monitor")
    max_header_bytes: int = Field(65_536, ge=1024, le=2**20, description="largest head of a request")
    max_unread_bytes: int = Field(
        2**27, ge=2**20, le=2**36, description="memory for requests that one process has not yet received completely"
    )
    header_seconds: Wait = Field(10, description="time limit for receiving the head of a request")
    body_seconds: Wait = Field(60, description="time limit for receiving a body, and for sending an answer")
    idle_seconds: Wait = Field(75, description="time that a connection may wait for its next request")
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
    model_file_mb: int = Field(256, ge=1, le=2048, description="largest model file that a service downloads")
    model_memory_mb: int = Field(2048, ge=256, le=2**20, description="address space for the check of a version")
    model_run_seconds: float = Field(
        1.0, gt=0, le=60, description="time limit for a version's answer to 1, 2 or 64 rows before it serves"
    )
    model_check_seconds: float = Field(
        20.0, ge=1, le=600, description="time limit for the download of a version, and for its check"
    )
    class_path: Path | None = Field(None, description="JSON list of class names for a model that has none")
    seldon_answers: Literal["probabilities", "class"] = Field("probabilities", description="data of Seldon's answers")

    @model_validator(mode="before")
    @classmethod
    def _without_compose_keys(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if key not in COMPOSE_KEYS}

    def environment(self) -> dict[str, str]:
        """Return environment variables that give a child process the same settings."""
        values = {name.upper(): _text(getattr(self, name)) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def data_dir(self) -> Path:
        """The folder of the problem's data."""
        return self.lab_home / "data" / self.problem

    @property
    def deployment(self) -> str:
        """The name of the fine-tuning flow's deployment in Prefect: each problem has one."""
        first = Settings.model_fields["problem"].default
        return "finetune" if self.problem == first else f"finetune-{self.problem}"

    @property
    def corrections(self) -> Path:
        """The file of the corrections that fine-tuning learns."""
        return self.data_dir / "finetune.csv"

    @property
    def state_dir(self) -> Path:
        """The folder of files that services keep between starts."""
        return self.lab_home / ".lab"


def load_settings(**values: Any) -> Settings:
    """Read the settings; `values` that are not None come before the environment.

    The function copies a log-in for MLflow from `.env` to the environment, where MLflow's package looks for it.

    Raises:
        SettingsError: one line names each wrong key.
    """
    try:
        settings = Settings(**{name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        # A default that depends on a wrong setting fails, too; only the wrong setting is reported.
        wrong = [each for each in error.errors(include_url=False) if each["type"] != "default_factory_not_called"]
        found = "; ".join(
            f"{str(each['loc'][0]).upper()}: {each['msg'].removeprefix('Value error, ')}" for each in wrong
        )
        raise SettingsError(f"bad settings: {found} (see docs/settings.md)") from None
    log_in = {name.upper() for name in MlflowLogin.model_fields}
    os.environ.update({name: value for name, value in settings.environment().items() if name in log_in})
    return settings


def _text(value: object) -> str | None:
    """Return a setting as text for the environment; None if it is not set."""
    if value is None:
        return None
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
