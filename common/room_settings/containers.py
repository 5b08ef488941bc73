"""The keys of `.env` that belong to `containers/`."""

from typing import Any

from pydantic import BaseModel, model_validator

# Keys of `.env` that only docker compose reads; .env.example and containers/lesson.env explain them.
COMPOSE_KEYS = frozenset({
    "alertmanager_port", "api_published_port", "compose_file", "compose_path_separator", "front_subnet", "grafana_port",
    "grafana_admin_password", "lab_data", "lab_gid", "lab_uid", "postgres_password", "publish_address",
})  # fmt: skip


class ContainerSettings(BaseModel):
    """Nothing for the lab itself: keys for docker compose in `.env` are no mistake."""

    @model_validator(mode="before")
    @classmethod
    def _without_compose_keys(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if key not in COMPOSE_KEYS}
