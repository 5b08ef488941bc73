"""What the numbers were measured on."""

import os
import platform
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

PACKAGES = (
    "fastapi",
    "httpx",
    "mlflow",
    "numpy",
    "onnxruntime",
    "prefect",
    "scikit-learn",
    "skl2onnx",
    "sqlalchemy",
    "uvicorn",
)


def description() -> str:
    """Return cores, CPU, memory, Python and package versions, in sentences."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} cores of {_cpu_model()}, {_memory()}{platform.system()}, "
        f"{platform.python_implementation()} {platform.python_version()}. {_byte_code()} Packages: {packages}."
    )


def _byte_code() -> str:
    spec = find_spec("fastapi")
    if spec and spec.cached and Path(spec.cached).exists():
        return "The packages are compiled to byte code."
    return "No byte code of the packages is kept, so that every process compiles what it imports, which takes seconds."


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
