"""A check of dashboards against Grafana's own schema: the types that grafana-foundation-sdk is made of.

The SDK is generated from the schema of the Grafana version in its number. It respects the types when it builds a
dashboard, but checks none when it reads one; this module does.
"""

import json
import types
from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from tests.grafana.queries import Json, panels

# The schema leaves these fields of a mark open: each data source has its own.
OPEN = ("titleFormat", "step", "target")


def mistakes(dashboard: Json) -> list[str]:
    """Return the violations of Grafana's schema in a dashboard; a valid dashboard has none."""
    register_default_plugins()
    found = [*_wrong(_without_open_parts(dashboard), Dashboard, "dashboard")]
    for panel in panels(dashboard):
        for overridden in _with_overrides_as_defaults(panel):
            found += _wrong(overridden, Panel, f"an override in {panel['title']!r}")
    return found


def _without_open_parts(dashboard: Json) -> Json:
    marks = [{k: v for k, v in mark.items() if k not in OPEN} for mark in dashboard["annotations"]["list"]]
    return {**dashboard, "annotations": {"list": marks}}


def _with_overrides_as_defaults(panel: Json) -> Iterator[Json]:
    # The schema accepts any value in an override, but Grafana reads the value like the default of that name.
    for override in panel["fieldConfig"]["overrides"]:
        for change in override["properties"]:
            copy: Json = json.loads(json.dumps(panel))
            *path, name = change["id"].split(".")
            place = copy["fieldConfig"]["defaults"]
            for step in path:
                place = place.setdefault(step, {})
            place[name] = change["value"]
            yield copy


def _wrong(value: Any, kind: Any, where: str) -> Iterator[str]:
    if _is_model(type(value)):
        for name, of in get_type_hints(type(value)).items():
            yield from _wrong(getattr(value, name), of, f"{where}.{name}")
    elif _is_model(kind) and isinstance(value, dict):
        yield from _read(value, kind, where)
    elif get_origin(kind) in (Union, types.UnionType):
        found = [[*_wrong(value, each, where)] for each in get_args(kind)]
        # The type whose violation lies deepest is the nearest one; its message is the most useful.
        yield from max(found, key=lambda each: len(each[0].partition(": ")[0])) if all(found) else ()
    elif get_origin(kind) is list and isinstance(value, list):
        for place, each in enumerate(value):
            yield from _wrong(each, get_args(kind)[0], f"{where}[{place}]")
    elif get_origin(kind) is dict and isinstance(value, dict):
        for name, each in value.items():
            yield from _wrong(each, get_args(kind)[1], f"{where}[{name!r}]")
    elif not _is_one(value, kind):
        yield f"{where}: {value!r} is not {kind}"


def _read(value: Json, kind: Any, where: str) -> Iterator[str]:
    try:
        read = kind.from_json(value)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        yield f"{where}: {error!r} when it was read"
        return
    yield from _wrong(read, kind, where)
    # Reading leaves out unknown fields, so compare the result with the original.
    yield from _differences(value, json.loads(json.dumps(read, cls=JSONEncoder)), where)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and hasattr(kind, "from_json")


def _is_one(value: Any, kind: Any) -> bool:
    if kind in (Any, object):
        return True
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return value in [each.value for each in kind]
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else get_origin(kind) or kind)


def _differences(one: Any, other: Any, where: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one.keys() | other.keys():
            if name in one and name in other:
                yield from _differences(one[name], other[name], f"{where}.{name}")
            elif name in one:
                yield f"{where}: the schema has no {name}"
            elif other[name] != {}:  # where there is no `custom`, reading adds an empty one
                yield f"{where}: {name} is missing"
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, pair in enumerate(zip(one, other, strict=True)):
            yield from _differences(*pair, f"{where}[{place}]")
    elif one != other:
        yield f"{where}: {one!r} is read as {other!r}"
