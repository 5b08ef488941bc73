"""A copy of the served version on disk, so that the service can start while MLflow is away."""

import fcntl
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from api.model.follower import ModelFollower
from common.files import write_atomic
from common.problem import Problem
from common.registry.client import Version
from common.settings import Settings

logger = logging.getLogger(__name__)


def keep_copies(problem: Problem, settings: Settings, *followers: ModelFollower | None) -> None:
    """Let the followers serve the versions that they have kept, and keep those to come, in a folder for each role."""
    for follower in filter(None, followers):
        copy = DiskCopy(settings.state_dir / "served" / problem.onnx_name / follower.role)
        follower.keep = copy.keep
        _serve_copy(follower, copy)


def _serve_copy(follower: ModelFollower, copy: "DiskCopy") -> None:
    for version, content in copy.newest_first():
        try:
            follower.serve_file(version, content)
        except Exception as error:  # noqa: BLE001  # a bad copy must not keep the service from starting
            logger.warning("the copy of version %d cannot be used: %s", version.number, error)
        else:
            return


class DiskCopy:
    """One version in a folder: the ONNX file, and a JSON file that says which version it is."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which the first `write` makes."""
        self._folder = folder

    def keep(self, version: Version | None, content: bytes) -> None:
        """Write the version that serves, or delete the copy if none does."""
        if version:
            self.write(version, content)
        else:
            self.delete()

    def write(self, version: Version, content: bytes) -> None:
        """Write a version, then delete the one before."""
        digest = version.source.rpartition("/")[2].replace(":", "-")
        path = self._folder / f"{version.number}-{digest}.onnx"
        with self._locked():
            # The JSON file first: readers ignore an ONNX file without one, so that they always find a pair.
            write_atomic(path.with_suffix(".json"), json.dumps(asdict(version)).encode())
            write_atomic(path, content)
            self._delete_others(path.stem)

    def delete(self) -> None:
        """Delete the copy."""
        with self._locked():
            self._delete_others("")

    def newest_first(self) -> Iterator[tuple[Version, bytes]]:
        """Yield every readable copy: one, or two if the process ended in the middle of `write`."""
        paths = self._folder.glob("*.onnx")
        for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True):
            try:
                version = Version(**json.loads(path.with_suffix(".json").read_bytes()))
                content = path.read_bytes()
            except (OSError, ValueError, TypeError) as error:
                logger.warning("the copy %s cannot be read: %s", path, error)
            else:
                yield version, content

    def _delete_others(self, stem: str) -> None:
        for other in self._folder.glob("*.*"):
            if other.stem != stem and not other.name.startswith("."):
                other.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold a lock that the other workers respect: none of them deletes half of a pair that another writes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
