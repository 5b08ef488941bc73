"""The last good model on disk, so that a service can start while MLflow is away."""

import fcntl
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from common.files import write_atomic
from common.registry.client import Version

logger = logging.getLogger(__name__)


class DiskCopy:
    """One version in a folder: the ONNX file, and a description of where it came from."""

    def __init__(self, folder: Path) -> None:
        """Keep it in `folder`, which is made when there is something to keep."""
        self._folder = folder

    def keep(self, version: Version, content: bytes) -> None:
        """Keep a version, then forget the one before."""
        digest = version.source.rpartition("/")[2].replace(":", "-")
        kept = self._folder / f"{version.number}-{digest}.onnx"
        with self._alone():
            # The description first: a model file without one is not read, so what is read is always a pair.
            write_atomic(kept.with_suffix(".json"), json.dumps(asdict(version)).encode())
            write_atomic(kept, content)
            self._forget(but=kept.stem)

    def forget(self) -> None:
        """Remove what is kept."""
        with self._alone():
            self._forget()

    def _forget(self, but: str = "") -> None:
        for other in self._folder.glob("*.*"):
            if other.stem != but and not other.name.startswith("."):
                other.unlink(missing_ok=True)

    def newest_first(self) -> Iterator[tuple[Version, bytes]]:
        """Yield what can be read: one version, or two if the process ended between keeping and forgetting."""
        kept = self._folder.glob("*.onnx")
        for path in sorted(kept, key=lambda path: path.stat().st_mtime, reverse=True):
            try:
                version = Version(**json.loads(path.with_suffix(".json").read_bytes()))
                content = path.read_bytes()
            except (OSError, ValueError, TypeError) as error:
                logger.warning("the copy %s cannot be read: %s", path, error)
            else:
                yield version, content

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other workers out meanwhile: one that forgets must not take half of what another keeps."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
