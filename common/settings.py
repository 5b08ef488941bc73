"""Every setting of the lab. The only file that reads the environment."""

import base64
import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

PROJECT = Path(__file__).resolve().parents[1]
# Lines of `.env` that are for docker-compose.yaml alone; .env.example explains them.
COMPOSE_KEYS = frozenset({
    "alertmanager_port", "api_published_port", "front_subnet", "grafana_admin_password",
    "grafana_port", "lab_data", "lab_gid", "lab_uid", "postgres_password", "publish_address",
})  # fmt: skip


def _file_of_problem(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
        raise ValueError(f"{value!r} cannot be the name of a file in problems/: small letters, digits and underscores")
    return value


def _web_address(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("http://", "https://")):
        raise ValueError("it must begin with http:// or https://")
    return value


def _not_shorter(seconds: int, info: ValidationInfo) -> int:
    if seconds < info.data.get("evaluate_seconds", seconds):
        raise ValueError("it must not be below EVALUATE_SECONDS, or predictions fall between two windows")
    return seconds


class SettingsError(ValueError):
    """A setting has a value that cannot be used, or `.env` names an unknown one."""


class _DotEnv(DotEnvSettingsSource):
    def __call__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__call__().items() if key not in COMPOSE_KEYS}


class MlflowLogin(BaseSettings):
    """How to log in to MLflow, by its own variables, which its package reads from the environment, too."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore")

    mlflow_tracking_username: str | None = Field(None, description="who logs in to MLflow, with the password")
    mlflow_tracking_password: SecretStr | None = Field(None, description="of MLFLOW_TRACKING_USERNAME")
    mlflow_tracking_token: SecretStr | None = Field(None, description="shown to MLflow where there is no password")

    def mlflow_headers(self) -> dict[str, str]:
        """Return the headers of a request, as MLflow's package makes them: by password, else by token; or none."""
        username, password = self.mlflow_tracking_username, _text(self.mlflow_tracking_password)
        if username and password:
            return {"Authorization": f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"}
        token = _text(self.mlflow_tracking_token)
        return {"Authorization": f"Bearer {token}"} if token else {}


class Settings(MlflowLogin):
    """Settings from the environment, then from `.env` in the project's folder.

    A variable that is set but empty counts as not set. A key of `.env` that is neither listed here nor for docker
    compose is refused.
    """

    model_config = SettingsConfigDict(
        env_file=PROJECT / ".env", env_ignore_empty=True, extra="forbid", frozen=True, populate_by_name=True
    )

    problem: Annotated[str, AfterValidator(_file_of_problem)] = Field(
        "iris", description="which file of problems/ is at work"
    )
    mlflow_port: int = Field(5000, ge=1, le=65535, description="port of the MLflow server that `make up` starts")
    prefect_port: int = Field(4200, ge=1, le=65535, description="port of the Prefect server that `make up` starts")
    api_port: int = Field(8000, ge=1, le=65535, description="port of the api that `make up` and `make api` start")
    api_workers: int = Field(1, ge=1, le=128, description="how many processes serve the api together, on its port")
    monitor_port: int = Field(5004, ge=1, le=65535, description="port of the monitor that `make up` starts")
    prometheus_port: int = Field(9090, ge=1, le=65535, description="port of the Prometheus that `make watch` starts")
    mlflow_uri: str = Field(
        default_factory=lambda given: f"http://127.0.0.1:{given.get('mlflow_port', 5000)}",
        validation_alias=AliasChoices("MLFLOW_URI", "MLFLOW_URL"),
        pattern=r"^https?://",
        description="the MLflow server; MLFLOW_URL is accepted too",
    )
    prefect_api_url: str = Field(
        default_factory=lambda given: f"http://127.0.0.1:{given.get('prefect_port', 4200)}/api",
        pattern=r"^https?://",
        description="the Prefect server's API, with /api at the end",
    )
    mlflow_page: str = Field(
        default_factory=lambda given: given.get("mlflow_uri", ""),
        pattern=r"^https?://",
        description="where people find MLflow, for links to it",
    )
    prefect_page: str = Field(
        default_factory=lambda given: str(given.get("prefect_api_url", "")).rstrip("/").removesuffix("/api"),
        pattern=r"^https?://",
        description="where people find Prefect, for links to it",
    )
    monitor_page: str = Field(
        default_factory=lambda given: f"http://127.0.0.1:{given.get('monitor_port', 5004)}",
        pattern=r"^https?://",
        description="where people find the monitor's page, for links to it",
    )
    lab_home: Annotated[Path, AfterValidator(Path.resolve)] = Field(
        PROJECT, description="the folder that holds data/, models/ and .lab/"
    )
    database_url: str = Field(
        default_factory=lambda given: f"sqlite:///{given.get('lab_home', PROJECT)}/data/lab.db",
        description="SQLAlchemy URL of the store",
    )
    api_key: SecretStr | None = Field(
        None, description="when set, what changes something wants it in the header X-API-Key"
    )
    suggest_rate: str = Field(
        "120/minute",
        pattern=r"^[1-9][0-9]*/(second|minute|hour|day)$",
        description="how many corrections one client may send",
    )
    max_connections: int = Field(
        800, ge=1, le=100_000, description="how many connections one process of api or monitor holds"
    )
    max_header_bytes: int = Field(65_536, ge=1024, le=2**20, description="how long the head of a request may be")
    max_unread_bytes: int = Field(
        2**27, ge=2**20, le=2**36, description="what requests that are not whole may hold in one process"
    )
    header_seconds: float = Field(10, gt=0, le=3600, description="how long the head of a request may take to come")
    body_seconds: float = Field(
        60, gt=0, le=3600, description="how long its body may take to come, and an answer to be taken"
    )
    idle_seconds: float = Field(75, gt=0, le=3600, description="how long a connection may wait for its next request")
    evaluate_seconds: int = Field(60, ge=1, le=86_400, description="how often the monitor evaluates a window")
    window_seconds: Annotated[int, AfterValidator(_not_shorter)] = Field(
        default_factory=lambda given: max(300, given.get("evaluate_seconds", 0)),
        le=86_400,
        description="how long a window is; windows overlap where that is longer than EVALUATE_SECONDS",
    )
    export_seconds: int = Field(
        3600, ge=1, le=604_800, description="how often the monitor writes to the external log in MLflow"
    )
    alert_webhook_url: Annotated[SecretStr, AfterValidator(_web_address)] | None = Field(
        None, description="when set, the monitor posts each alert there once, as JSON"
    )
    model_file_mb: int = Field(256, ge=1, le=2048, description="the largest model file that a service downloads, in MB")
    model_memory_mb: int = Field(
        2048, ge=256, le=1_048_576, description="how much memory the check of a version may take, in MB of addresses"
    )
    model_run_seconds: float = Field(
        1.0, gt=0, le=60, description="how long a version may take for 1, 2 or 64 rows in order to be served"
    )
    model_check_seconds: float = Field(
        20.0, ge=1, le=600, description="how long the download of a version, and then its check, may take"
    )
    class_path: Path | None = Field(
        None,
        description="JSON list of class names, instead of the problem's classes.json, for a model that carries none",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # there are none
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read what is given, then the environment, then `.env` without what is for docker compose."""
        file = dotenv_settings.env_file if isinstance(dotenv_settings, DotEnvSettingsSource) else None
        return init_settings, env_settings, _DotEnv(settings_cls, env_file=file)

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make the same settings, for a process of our own."""
        values = {name.upper(): _text(getattr(self, name)) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def data_dir(self) -> Path:
        """The folder of the chosen problem's data."""
        return self.lab_home / "data" / self.problem

    @property
    def deployment(self) -> str:
        """The name of the fine-tuning flow's deployment in Prefect: one for each problem that is at work there."""
        first = Settings.model_fields["problem"].default
        return "finetune" if self.problem == first else f"finetune-{self.problem}"

    @property
    def corrections(self) -> Path:
        """The file of the corrections to learn from."""
        return self.data_dir / "finetune.csv"

    @property
    def state_dir(self) -> Path:
        """The folder for what services keep between starts."""
        return self.lab_home / ".lab"


def load_settings(**values: Any) -> Settings:
    """Read the settings; `values` win over the environment.

    A log-in for MLflow that `.env` names is put into the environment, where MLflow's package looks for it.

    Raises:
        SettingsError: in one line, naming each bad key.
    """
    try:
        settings = Settings(**values)
    except ValidationError as error:
        # A default that is made from other settings fails with them, and is not what is wrong.
        wrong = [each for each in error.errors(include_url=False) if each["type"] != "default_factory_not_called"]
        found = "; ".join(
            f"{str(each['loc'][0]).upper()}: {each['msg'].removeprefix('Value error, ')}" for each in wrong
        )
        raise SettingsError(f"bad settings: {found} (see docs/settings.md)") from None
    log_in = {name.upper() for name in MlflowLogin.model_fields}
    os.environ.update({name: value for name, value in settings.environment().items() if name in log_in})
    return settings


def _text(value: object) -> str | None:
    """Return a setting as the environment holds it; None if it is not set."""
    if value is None:
        return None
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
