"""What a model learnt from, as its bundle tells it: means and bins of each feature."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from common.background import BackgroundTask
from common.onnx_io import ModelError, OnnxModel
from common.registry import Registry, RegistryError, RegistryUnavailableError, Version
from common.store import Store, StoreError

POLL_SECONDS = 2.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeatureReference:
    """A feature of the training rows: its mean, and the `shares` of the rows in the bins that end with `edges`.

    There is one share more than edges: that of the rows above the last.
    """

    mean: float
    edges: npt.NDArray[np.float64]
    shares: npt.NDArray[np.float64]


Reference = Mapping[str, FeatureReference]


class References:
    """The references of the served version of every model in the store, from `start` to `stop`.

    While MLflow is away what was read stays.
    """

    def __init__(self, store: Store, registry: Registry) -> None:
        """Ask `store` for models, and `registry` for their served versions."""
        self._store = store
        self._registry = registry
        self._found: dict[str, tuple[Version, Reference]] = {}
        self._told: str | None = None
        self._following = BackgroundTask("follow the registry for references", self._follow)

    def of(self, model_name: str) -> Reference:
        """Return the reference of a model by feature; empty while it is not known."""
        return self._found[model_name][1] if model_name in self._found else {}

    async def start(self) -> None:
        """Begin to follow the registry."""
        self._following.start()

    async def stop(self) -> None:
        """Stop following."""
        await self._following.stop()

    async def _follow(self) -> None:
        while True:
            try:
                await self._look()
                self._told = None
            except (RegistryError, RegistryUnavailableError, StoreError) as error:
                self._tell(error)
            except Exception:  # nothing unforeseen may end the following unnoticed
                logger.exception("references are not followed at this moment")
            await asyncio.sleep(POLL_SECONDS)

    async def _look(self) -> None:
        for _, model_name in await asyncio.to_thread(self._store.statistics.models):
            version = await self._registry.serving_version(model_name)
            if version and (model_name not in self._found or self._found[model_name][0].identity != version.identity):
                content = await self._registry.download(version)
                self._found[model_name] = version, await asyncio.to_thread(_read, version, content)

    def _tell(self, error: Exception) -> None:
        # Once, not at each look.
        if self._told != str(error):
            logger.warning("references stay as they are: %s", error)
        self._told = str(error)


def read_reference(described: Any) -> Reference:
    """Return the reference of numbers from what a bundle holds under its key `reference`; empty if it is damaged."""
    try:
        found = described["features"].items()
        # Of categories it holds their shares.
        return {name: _feature(feature) for name, feature in found if "shares" not in feature}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _read(version: Version, content: bytes) -> Reference:
    try:
        # The names of its classes do not matter here.
        reference = read_reference(OnnxModel(content, classes=["any"]).metadata.get("reference"))
    except ModelError:
        reference = {}
    if not reference:
        logger.warning("%s version %d tells no reference of its training rows", version.name, version.number)
    return reference


def _feature(described: Mapping[str, Any]) -> FeatureReference:
    bins = described["bins"]
    edges, shares = (np.array(bins[name], dtype=np.float64) for name in ("edges", "shares"))
    if len(shares) != len(edges) + 1:
        raise ValueError(f"{len(shares)} shares for {len(edges)} edges")
    return FeatureReference(float(described["mean"]), edges, shares)
