"""Several workers behind one port, and clients that know which worker answers them."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass

import httpx
import psutil

from common.settings import Settings
from scripts.parts import wait_for
from tests import servers

COUNT = 2


@dataclass(frozen=True)
class Fleet:
    """The api in several processes: its address, and its supervisor."""

    url: str
    supervisor: subprocess.Popen[bytes]

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer, or will soon."""
        return [each for each in self.processes()[1:] if "spawn_main" in " ".join(command(each))]

    def processes(self) -> list[psutil.Process]:
        """Return the supervisor and all processes that it has started; none if it has ended."""
        with suppress(psutil.NoSuchProcess):
            supervisor = psutil.Process(self.supervisor.pid)
            return [supervisor, *supervisor.children(recursive=True)]
        return []

    @contextmanager
    def client_of(self, worker: psutil.Process) -> Iterator[httpx.Client]:
        """Yield a client whose open connection is to this worker."""

        def connect() -> httpx.Client | None:
            with ExitStack() as stack:
                client = stack.enter_context(httpx.Client(base_url=self.url, timeout=30.0))
                if asks(client, worker):
                    stack.pop_all()
                    return client
            return None

        with closing(wait_for(f"an answer of {worker}", connect, every=0.01)) as client:
            yield client

    @contextmanager
    def clients(self) -> Iterator[Sequence[httpx.Client]]:
        """Yield a client of each worker."""
        workers = wait_for("all workers", lambda: found if len(found := self.workers()) == COUNT else None)
        with ExitStack() as stack:
            yield [stack.enter_context(self.client_of(worker)) for worker in workers]


@contextmanager
def fleet(settings: Settings) -> Iterator[Fleet]:
    """Start the api with `COUNT` workers; yield it when one of them answers."""
    with servers.api_process(settings.model_copy(update={"api_workers": COUNT})) as (url, supervisor):
        yield Fleet(url, supervisor)


def asks(client: httpx.Client, worker: psutil.Process) -> bool:
    """Return whether this worker answers a client."""
    stream = client.get("/livez").extensions["network_stream"]
    _, port = stream.get_extra_info("client_addr")
    return port in {connection.raddr.port for connection in worker.net_connections("tcp") if connection.raddr}


def command(process: psutil.Process) -> list[str]:
    """Return the command line of a process; nothing if it has ended."""
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return process.cmdline()
    return []


def alive(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that have not ended; a zombie has."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
