"""The pinned requirements of the images and of development, as `poetry export` writes them."""

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from common.settings import PROJECT

# Each image of the lab, and the file of what it installs.
IMAGES = {
    "api": "api/requirements.txt",
    "finetune": "finetune/requirements.txt",
    "monitor": "monitor/requirements.txt",
    "mlflow": "containers/mlflow/requirements.txt",
}
DEVELOPMENT = "requirements/dev.txt"
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)(.*)$", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Pinned:
    """A package at one version.

    Attributes:
        hashes: the SHA-256 of each file that may be installed, in hexadecimal, sorted.
    """

    name: str
    version: str
    hashes: tuple[str, ...] = ()


class PinnedError(ValueError):
    """A file of requirements has a line that pins nothing."""


def read_pinned(path: str) -> list[Pinned]:
    """Return the packages of a file of requirements in the project, sorted.

    Raises:
        PinnedError: a line is no package at one version with a hash; the message names file and line.
    """
    text = (PROJECT / Path(path)).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = []
    for line in lines:
        match = _REQUIREMENT.match(line)
        hashes = tuple(sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", line)))
        if match is None or not hashes:
            raise PinnedError(f"{path} pins no version and hash in the line {line[:80]!r}")
        found.append(Pinned(canonicalize_name(match[1]), match[2], hashes))
    return sorted(found)
