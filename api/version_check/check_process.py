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
    order = json.loads(sys.stdin.buffer.readline())
    _limit(order["memory_bytes"], order["cpu_seconds"])
    try:
        model = OnnxModel(sys.stdin.buffer.read(), order["classes"])
        check_as_used(model, order["sample"], order["run_seconds"])
    except MemoryError:
        return _refuse("it needs more memory than MODEL_MEMORY_MB")
    except Exception as error:  # noqa: BLE001  # any error means that the model cannot serve
        return _refuse(f"{error}" or repr(error))
    return 0


def _refuse(reason: str) -> int:
    sys.stdout.buffer.write(reason.encode(errors="backslashreplace"))
    return REFUSED


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    # The limit of CPU time also ends this process after the service is gone. Some systems have no RLIMIT_AS.
    for kind, limit in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CPU, cpu_seconds)):
        _, most = resource.getrlimit(kind)
        allowed = limit if most == resource.RLIM_INFINITY else min(limit, most)
        try:
            resource.setrlimit(kind, (allowed, most))
        except (OSError, ValueError):
            continue


if __name__ == "__main__":
    sys.exit(main())
