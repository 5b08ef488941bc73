"""The process that checks a version before it serves: `python -m api.version_check.check_process`.

It reads a line of JSON, as `api/version_check/check.py` sends it, and then the bytes of the ONNX file from its standard
input. It ends with code 0 if the model can serve, else with another code and the reason on its standard output.
"""

import json
import resource
import sys

from api.version_check.as_used import check_as_used
from common.bundle.model import OnnxModel

REFUSED = 3


def main() -> int:
    """Read the model, check it, and return the exit code."""
    asked = json.loads(sys.stdin.buffer.readline())
    _limit(asked["memory_bytes"], asked["cpu_seconds"])
    try:
        model = OnnxModel(sys.stdin.buffer.read(), asked["classes"])
        check_as_used(model, asked["sample"], asked["run_seconds"])
    except MemoryError:
        return _refuse("it needs more memory than MODEL_MEMORY_MB")
    except Exception as error:  # noqa: BLE001  # whatever a model can do wrong is a reason not to serve it
        return _refuse(f"{error}" or repr(error))
    return 0


def _refuse(reason: str) -> int:
    sys.stdout.buffer.write(reason.encode(errors="backslashreplace"))
    return REFUSED


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    # Should the service be gone, the second ends this process, too. Not every system knows the first.
    for kind, limit in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CPU, cpu_seconds)):
        _, most = resource.getrlimit(kind)
        allowed = limit if most == resource.RLIM_INFINITY else min(limit, most)
        try:
            resource.setrlimit(kind, (allowed, most))
        except (OSError, ValueError):
            continue


if __name__ == "__main__":
    sys.exit(main())
