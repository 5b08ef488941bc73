"""The PromQL that several panels share."""

from grafana_foundation_sdk.models.dashboard import DataSourceRef

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")
MODEL = "model_name, model_version, role"


def per_second(counter: str, by: str = "", where: str = "") -> str:
    """Return the growth per second of a counter of the problem, summed `by` labels."""
    more = f", {where}" if where else ""
    grouped = f" by ({by})" if by else ""
    return f'sum{grouped} (rate({counter}{{problem="$problem"{more}}}[$__rate_interval]))'


def or_zero(expr: str) -> str:
    """Return 0 for a series that does not exist before its first event."""
    return f"{expr} or vector(0)"


def in_service(expr: str) -> str:
    """Keep the series of the versions that serve at that time, as champion or challenger."""
    return f'{expr} and on ({MODEL}) model_info{{problem="$problem"}}'


def by_version(expr: str) -> str:
    """Add the version to a series that an api process exports by model and role only."""
    numbered = f'{expr} * on (instance, model_name, role) group_left (model_version) model_info{{problem="$problem"}}'
    return f"max by ({MODEL}) ({numbered})"


def corrections(state: str) -> str:
    """Return the number of the problem's corrections in a state."""
    return or_zero(f'sum(suggestions{{problem="$problem", state="{state}"}})')
