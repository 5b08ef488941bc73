"""The virtual environment of each peer, made when it is first needed."""

import hashlib
import subprocess
import sys
from pathlib import Path

import uv
from filelock import FileLock

from common.files import write_atomic
from common.settings import PROJECT

REQUIREMENTS = Path(__file__).parent / "requirements"
HOME = PROJECT / ".lab" / "peers"
PEERS = ("mlserver", "kserve", "bentoml", "litserve", "mlflow")
WHOLE = "whole"  # the file that completes an environment; it holds the hash of the requirements
TAIL = 2000


class PeerError(RuntimeError):
    """A peer cannot be installed; the message says which peer, and why."""


def python_of(name: str) -> Path:
    """Return the path of the Python whose environment has the peer and ONNX Runtime in their pinned versions.

    Raises:
        PeerError: no peer has this name, or its packages cannot be installed.
    """
    if name not in PEERS:
        raise PeerError(f"there is no peer {name}; known: {', '.join(PEERS)}")
    return made(HOME / name, REQUIREMENTS / f"{name}.txt")


def version_of(name: str) -> str:
    """Return the pinned version of a peer."""
    lines = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    (pin,) = (line for line in lines if line.startswith(f"{name}=="))
    return pin.split()[0].partition("==")[2]


def made(environment: Path, requirements: Path) -> Path:
    """Return the Python of an environment with these requirements; make it again if they or this Python have changed.

    Raises:
        PeerError: the packages could not be installed; the incomplete environment will not be used.
    """
    python, whole = environment / "bin" / "python", environment / WHOLE
    content = hashlib.sha256(f"{sys.executable} {sys.version}\n".encode() + requirements.read_bytes()).hexdigest()
    environment.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(environment.with_name(f".{environment.name}.lock")):
        if not (whole.exists() and whole.read_text(encoding="utf-8") == content):
            whole.unlink(missing_ok=True)
            _make(environment, python, requirements)
            write_atomic(whole, content.encode())
    return python


def _make(environment: Path, python: Path, requirements: Path) -> None:
    program, packages = uv.find_uv_bin(), ["install", "--quiet", "--require-hashes", "-r", str(requirements)]
    by_uv = [program, "pip", *packages, "--python", str(python), "--system-certs", "--compile-bytecode"]
    by_pip = [sys.executable, "-m", "pip", "--python", str(python), *packages]
    print(f"installing {requirements.stem} into {environment} (once) …", file=sys.stderr, flush=True)
    _run([program, "venv", "--quiet", "--no-project", "--clear", "--python", sys.executable, str(environment)])
    try:
        _run(by_uv)
    except PeerError:
        # uv does not read pip's configuration: behind a mirror that only pip knows, pip does the work.
        _run(by_pip)


def _run(command: list[str]) -> None:
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise PeerError(f"{' '.join(command)} failed:\n{ended.stderr[-TAIL:]}")
