"""The machine of a measurement, described in sentences."""

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from benchmarks.harness.http_load import sender
from benchmarks.peers.environment import PEERS, version_of

PACKAGES = (
    "fastapi",
    "httptools",
    "httpx",
    "mlflow",
    "numpy",
    "onnxruntime",
    "orjson",
    "prefect",
    "pydantic",
    "scikit-learn",
    "skl2onnx",
    "sqlalchemy",
    "uvicorn",
    "uvloop",
)


def description() -> str:
    """Return cores, CPU, memory, Python and versions, in sentences."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    peers = ", ".join(f"{name} {version_of(name)}" for name in PEERS)
    return (
        f"{os.cpu_count()} cores of {_cpu_model()}, {_memory()}{platform.system()}, "
        f"{platform.python_implementation()} {platform.python_version()}. {_binding()}{_byte_code()} "
        f"Packages: {packages}. Peers: {peers}. Load by {_wrk()}."
    )


def _binding() -> str:
    return "" if sys.platform == "linux" else "Processes cannot be bound to cores: server and load share them. "


def _wrk() -> str:
    # wrk prints its version together with its usage, and ends with code 1.
    said = subprocess.run([sender(), "--version"], capture_output=True, text=True, check=False).stdout
    return " ".join(said.split()[:2]).replace("debian/", "")


def _byte_code() -> str:
    spec = find_spec("fastapi")
    if spec and spec.cached and Path(spec.cached).exists():
        return "The packages are compiled to byte code."
    return "The packages are not compiled to byte code: every process compiles its imports, which takes seconds."


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return ""
    return f"{total / 2**30:.0f} GiB of memory, "
