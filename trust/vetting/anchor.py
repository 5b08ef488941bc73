"""The bundles that vetting asks, from MLflow's registry, with a copy of each on the disk.

It does without the `mlflow` package, whose import takes longer than the vetting.
"""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path

from common.bundle.model import OnnxModel
from common.files import write_atomic
from common.problem import Problem
from common.registry.client import ANCHOR, Registry, Version
from common.settings import Settings
from common.signing.check import check_of  # room: signing

MOST_VERSIONS = 1_000  # among which the training's version is looked for, the newest
KEPT = 4  # copies on the disk

Find = Callable[[Registry], Coroutine[None, None, Version | None]]
Loaded = tuple[Version, OnnxModel]


def load_anchor(problem: Problem, settings: Settings) -> Loaded | None:
    """Return the anchor with its bundle; None if no version is registered.

    Without the alias it is the training's version behind the champion, or else the champion.

    Raises:
        RegistryUnavailableError: MLflow does not answer.
        RegistryError: MLflow answers with an error.
        ModelError: the file is no model that the lab can ask.
    """
    return asyncio.run(_load(problem, settings, lambda registry: _anchor(registry, problem.onnx_name)))


def load_champion(problem: Problem, settings: Settings) -> Loaded | None:
    """Return the version that answers with its bundle; None if no version is registered. Raises as `load_anchor`."""
    return asyncio.run(_load(problem, settings, lambda registry: registry.serving_version(problem.onnx_name)))


async def _load(problem: Problem, settings: Settings, find: Find) -> Loaded | None:
    async with Registry(settings.mlflow_uri, settings.model_file_mb, settings.model_check_seconds) as registry:
        registry.check = check_of(settings)  # room: signing
        version = await find(registry)
        if version is None:
            return None
        folder = settings.state_dir / "vetting" / problem.onnx_name
        # The source tells the version from that of the same number in another registry.
        source = hashlib.md5(version.source.encode(), usedforsecurity=False).hexdigest()
        path = folder / f"{version.number}-{source}.onnx"
        content = path.read_bytes() if path.exists() else await registry.download(version)
    # The copy only saves time: a container may have no folder for it.
    with suppress(OSError):
        if not path.exists():
            write_atomic(path, content)
            _delete_older(folder)
    return version, OnnxModel(content, problem.target.classes)


async def _anchor(registry: Registry, name: str) -> Version | None:
    if found := await registry.aliased(name, ANCHOR):
        return found
    champion = await registry.serving_version(name)
    base = champion.tags.get("continued_from") if champion else None
    if base is None:
        return champion
    versions = await registry.versions(name, MOST_VERSIONS)
    return next((each for each in versions if each.tags.get("sklearn_version") == base), champion)


def _delete_older(folder: Path) -> None:
    copies = sorted(folder.glob("*.onnx"), key=lambda path: path.stat().st_mtime, reverse=True)
    for copy in copies[KEPT:]:
        copy.unlink(missing_ok=True)
