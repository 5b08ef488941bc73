"""The key with which programs open the monitor of a lab that has keys."""

from common.settings import Settings


def monitor_header(settings: Settings) -> dict[str, str]:
    """Return the header with REVIEW_KEY, else with API_KEY; nothing if neither is set."""
    key = settings.review_key or settings.api_key
    return {"X-API-Key": key.get_secret_value()} if key else {}
