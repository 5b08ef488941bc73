"""The keys of `.env` that belong to `containers/`."""

from typing import Any

from pydantic import BaseModel, model_validator

# Keys of `.env` that only docker compose reads; .env.example and containers/lesson.env explain them.
COMPOSE_KEYS = frozenset({
    "alertmanager_port", "api_memory", "api_published_port", "back_subnet", "compose_file", "compose_path_separator",
    "front_subnet", "grafana_port", "lab_cpus", "lab_data", "lab_gid", "lab_secrets", "lab_uid", "publish_address",
    "tls_address", "tls_http_port", "tls_monitor_port", "tls_names", "tls_port", "training_memory",
})  # fmt: skip
# Variables of an older version; containers/make_secrets.sh takes their values over.
OLD_KEYS = frozenset({"grafana_admin_password", "postgres_password"})


class ContainerSettings(BaseModel):
    """Nothing for the lab itself: keys for docker compose in `.env` are no mistake."""

    @model_validator(mode="before")
    @classmethod
    def _without_compose_keys(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if key not in COMPOSE_KEYS | OLD_KEYS}
