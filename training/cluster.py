"""A Dask cluster: reaching it, and seeing that it would compute the same as this process.

Dask is imported where somebody asks for a cluster, and nowhere else.
"""

import asyncio
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from training.fitting import code_hash

if TYPE_CHECKING:
    from distributed import Client
    from distributed.client import VersionsDict

CONNECT_SECONDS = 5.0
WORKER_SECONDS = 10.0  # that there may be no worker, when it begins and meanwhile
SPEAKING = ("python", "distributed")  # whose versions must be the same for all to understand one another
COMPUTING = ("numpy", "scipy", "scikit-learn", "lightgbm")  # and for workers to compute the same


class WorkersError(RuntimeError):
    """Who should fit the candidates is not there, or is no more; the message is one line and says what to do."""


@contextmanager
def reach(address: str) -> Iterator["Client"]:
    """Yield a client of the Dask cluster whose scheduler listens at `address`, such as `tcp://127.0.0.1:8786`.

    Raises:
        WorkersError: Dask is not installed; nobody listens there; there is no worker; or a worker would not compute the
            same, having other versions of packages or of the project.
    """
    try:
        from distributed import Client
        from distributed.versions import VersionMismatchWarning
    except ModuleNotFoundError:
        raise WorkersError(
            "Dask is not installed here: `make install` brings everything, `pip install distributed` Dask alone"
        ) from None
    # The client would wait for ever for the first word of a server that is no scheduler.
    asyncio.run(_knock(address))
    # What goes wrong is told by the errors; Dask would tell it, too, in tables and stack traces.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VersionMismatchWarning)
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    with client:
        _check_workers(client, address)
        _check_versions(client)
        _check_code(client)
        yield client


async def _knock(address: str) -> None:
    from distributed import Security, connect

    try:
        secrets = Security().get_connection_args("client")
        comm = await asyncio.wait_for(connect(address, timeout=CONNECT_SECONDS, **secrets), CONNECT_SECONDS)
    except (OSError, ValueError, TypeError, MemoryError) as error:  # the last when it takes other bytes for a length
        why = one_line(error) or f"no answer within {CONNECT_SECONDS:.0f} s"
        raise WorkersError(f"no Dask scheduler at {address!r} ({why}): docs/lab.md says how to start one") from None
    await comm.close()


def _check_workers(client: "Client", address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError:
        raise WorkersError(
            f"the Dask scheduler at {address} has no worker: start some in the project's folder, "
            f"`python -m dask worker {address}`"
        ) from None


def _check_versions(client: "Client") -> None:
    found = cast("VersionsDict", client.get_versions(packages=COMPUTING))
    ours = found["client"]["packages"]
    _compare("the Dask scheduler", found["scheduler"]["packages"], ours, SPEAKING)
    for worker, theirs in found["workers"].items():
        _compare(f"Dask worker {worker}", theirs["packages"], ours, SPEAKING + COMPUTING)


def _compare(
    who: str, theirs: Mapping[str, str | None], ours: Mapping[str, str | None], packages: Sequence[str]
) -> None:
    for package in packages:
        has, wanted = _version(theirs, package), _version(ours, package)
        if has != wanted:
            raise WorkersError(
                f"{who} has {package} {has}, where this process has {wanted}: they would not do the same; install the "
                "same requirements for both"
            )


def _version(packages: Mapping[str, str | None], package: str) -> str:
    version = packages.get(package) or "(none)"
    return ".".join(version.split(".")[:2]) if package == "python" else version


def _check_code(client: "Client") -> None:
    for worker, found in client.run(code_hash, on_error="return").items():
        if isinstance(found, Exception):
            raise WorkersError(
                f"Dask worker {worker} cannot import the project ({one_line(found)}): start it in the project's "
                "folder, by `python -m dask worker`, for `dask worker` alone does not look there"
            )
        if found != code_hash():
            raise WorkersError(
                f"Dask worker {worker} has loaded other code of the project than this process: start it again, in a "
                "folder with the same"
            )


def one_line(error: BaseException) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split())
