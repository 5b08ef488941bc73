"""Every setting of the lab. No other file reads the environment.

Settings that only one room reads are declared in `room_settings/`; a line that ends in `# room: …` joins them.
"""

import base64
import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from common.room_settings.browsers import BrowserSettings  # room: browsers
from common.room_settings.class_names import ClassNameSettings  # room: class_names
from common.room_settings.connections import ConnectionSettings  # room: connections
from common.room_settings.containers import ContainerSettings  # room: containers
from common.room_settings.guards import GuardSettings  # room: guards
from common.room_settings.keys import KeySettings  # room: keys
from common.room_settings.monitor import MonitorSettings  # room: monitor
from common.room_settings.protocols import ProtocolSettings  # room: protocols
from common.room_settings.retention import RetentionSettings  # room: retention
from common.room_settings.scripts import ScriptSettings  # room: scripts
from common.room_settings.signing import SigningSettings  # room: signing
from common.room_settings.spool import SpoolSettings  # room: spool
from common.room_settings.trust import TrustSettings  # room: trust
from common.room_settings.version_check import VersionCheckSettings  # room: version_check
from common.room_settings.workers import WorkerSettings  # room: workers
from common.setting_types import Port, WebAddress

PROJECT = Path(__file__).resolve().parents[1]


def _file_of_problem(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
        raise ValueError(f"{value!r} is not the name of a file in problems/: use small letters, digits and underscores")
    return value


def _addresses(value: str) -> str:
    for each in value.split(",") if value not in {"", "*"} else ():
        ip_network(each.strip())
    return value


class SettingsError(ValueError):
    """A setting has a wrong value, or `.env` has an unknown key."""


class LogIns(BaseSettings):
    """The log-ins for MLflow and Prefect, in the variables that their own packages also read."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore")

    mlflow_tracking_username: str | None = Field(None, description="user name for MLflow")
    mlflow_tracking_password: SecretStr | None = Field(None, description="password of MLFLOW_TRACKING_USERNAME")
    mlflow_tracking_token: SecretStr | None = Field(None, description="bearer token, without a password")
    prefect_api_auth_string: SecretStr | None = Field(None, description="user:password for Prefect")

    def mlflow_headers(self) -> dict[str, str]:
        """Return the headers that log in as MLflow's package does: by password, else by token; nothing without both."""
        username, password = self.mlflow_tracking_username, _text(self.mlflow_tracking_password)
        if username and password:
            return {"Authorization": f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"}
        token = _text(self.mlflow_tracking_token)
        return {"Authorization": f"Bearer {token}"} if token else {}

    @property
    def prefect_log_in(self) -> tuple[str, str] | None:
        """User and password for Prefect; None without a log-in."""
        user, _, password = (_text(self.prefect_api_auth_string) or "").partition(":")
        return (user, password) if user else None


class LoopSettings(LogIns):
    """The settings of the loop, and the paths that follow from them."""

    model_config = SettingsConfigDict(
        env_file=PROJECT / ".env", env_ignore_empty=True, extra="forbid", frozen=True, populate_by_name=True
    )

    problem: Annotated[str, AfterValidator(_file_of_problem)] = Field("iris", description="the file of problems/")
    mlflow_port: Port = Field(5000, description="port of the MLflow server that `make up` starts")
    prefect_port: Port = Field(4200, description="port of the Prefect server that `make up` starts")
    api_port: Port = Field(8000, description="port of the api that `make up` and `make api` start")
    mlflow_uri: WebAddress = Field(
        default_factory=lambda given: f"http://127.0.0.1:{given.get('mlflow_port', 5000)}",
        validation_alias=AliasChoices("MLFLOW_URI", "MLFLOW_URL"),
        description="the MLflow server; MLFLOW_URL is accepted too",
    )
    prefect_api_url: WebAddress = Field(
        default_factory=lambda given: f"http://127.0.0.1:{given.get('prefect_port', 4200)}/api",
        description="the Prefect server's API, with /api at the end",
    )
    lab_home: Annotated[Path, AfterValidator(Path.resolve)] = Field(
        PROJECT, description="the folder that holds data/, models/ and .lab/"
    )
    database_url: str = Field(
        default_factory=lambda given: f"sqlite:///{given.get('lab_home', PROJECT)}/data/lab.db",
        description="SQLAlchemy URL of the store",
    )
    api_key: SecretStr | None = Field(None, description="key for X-API-Key in requests that change something")
    gate: Literal["evidence", "threshold"] = Field(
        "evidence",
        description="the rule for a new version: the evidence of many rows, or 90 % accuracy on test.csv (threshold)",
    )
    promotion: Literal["optimistic", "cautious", "manual"] = Field(
        "optimistic", description="which new versions serve at once; docs/judgement.md explains the three values"
    )
    forwarded_allow_ips: Annotated[str, AfterValidator(_addresses)] = Field("", description="proxies that are believed")
    model_file_mb: int = Field(256, ge=1, le=2048, description="largest model file that a service downloads")
    model_check_seconds: float = Field(20.0, ge=1, le=600, description="time limit of a download, and of a check")

    def environment(self) -> dict[str, str]:
        """Return environment variables that give a child process the same settings."""
        values = {name.upper(): _text(getattr(self, name)) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def has_keys(self) -> bool:
        """Whether the lab has a key, so that only ground truths count that came with one."""
        return self.api_key is not None

    @property
    def data_dir(self) -> Path:
        """The folder of the problem's data."""
        return self.lab_home / "data" / self.problem

    @property
    def deployment(self) -> str:
        """The name of the fine-tuning flow's deployment in Prefect: each problem has one."""
        first = LoopSettings.model_fields["problem"].default
        return "finetune" if self.problem == first else f"finetune-{self.problem}"

    @property
    def corrections(self) -> Path:
        """The file of the corrections that fine-tuning learns."""
        return self.data_dir / "finetune.csv"

    @property
    def state_dir(self) -> Path:
        """The folder of files that services keep between starts."""
        return self.lab_home / ".lab"


class Settings(
    BrowserSettings,  # room: browsers
    ClassNameSettings,  # room: class_names
    ConnectionSettings,  # room: connections
    ContainerSettings,  # room: containers
    GuardSettings,  # room: guards
    KeySettings,  # room: keys
    MonitorSettings,  # room: monitor
    ProtocolSettings,  # room: protocols
    RetentionSettings,  # room: retention
    ScriptSettings,  # room: scripts
    SigningSettings,  # room: signing
    SpoolSettings,  # room: spool
    TrustSettings,  # room: trust
    VersionCheckSettings,  # room: version_check
    WorkerSettings,  # room: workers
    LoopSettings,
):
    """Settings from the environment, then from `.env` in the project's folder.

    An empty variable counts as not set. A key of `.env` must be a setting, or one that only docker compose reads. The
    loop's settings come last in the list of bases, so that pydantic reads them first: defaults of rooms use them.
    """


def load_settings(**values: Any) -> Settings:
    """Read the settings; `values` that are not None come before the environment.

    The function copies log-ins from `.env` to the environment, where the packages of MLflow and Prefect look for them.

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
    log_in = {name.upper() for name in LogIns.model_fields}
    os.environ.update({name: value for name, value in settings.environment().items() if name in log_in})
    return settings


def _text(value: object) -> str | None:
    """Return a setting as text for the environment; None if it is not set."""
    if value is None:
        return None
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
