"""A file for each running api of the embedded stack, with its port, in the format of Prometheus' targets."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.files import write_atomic
from common.settings import Settings
from scripts.ports import HOST


def folder(settings: Settings) -> Path:
    """Return the folder of the files."""
    return settings.state_dir / "apis"


@contextmanager
def announced(settings: Settings) -> Iterator[None]:
    """Keep the file of a problem's api while the api runs."""
    path = _path(settings)
    targets = [{"targets": [f"{HOST}:{settings.api_port}"], "labels": {"problem": settings.problem}}]
    write_atomic(path, json.dumps(targets).encode())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def forget(settings: Settings) -> None:
    """Remove the files that killed stacks have left; only the one stack that runs may call this."""
    for path in folder(settings).glob("*.json"):
        path.unlink(missing_ok=True)


def api_port(settings: Settings) -> int:
    """Return the port of a problem's api: API_PORT if it is set, else the port in the file of the running api."""
    if "api_port" in settings.model_fields_set:
        return settings.api_port
    try:
        target: str = json.loads(_path(settings).read_bytes())[0]["targets"][0]
    except FileNotFoundError:
        return settings.api_port
    return int(target.rpartition(":")[2])


def _path(settings: Settings) -> Path:
    return folder(settings) / f"{settings.problem}.json"
