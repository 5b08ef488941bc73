"""One rate limit for all workers: the supervisor counts, and the workers ask it over a Unix socket."""

import asyncio
from pathlib import Path

from api.guards.rate_limit import RateLimit

SOCKET = "limit.sock"  # in the folder that all workers share


class SharedLimit:
    """The supervisor's rate limit, as a worker sees it."""

    def __init__(self, path: Path) -> None:
        """Ask at the socket at `path`."""
        self._path = path

    async def seconds_to_wait(self, client: str) -> int:
        """Return what `RateLimit.seconds_to_wait` returns in the supervisor, which counts for all workers."""
        reader, writer = await asyncio.open_unix_connection(self._path)
        writer.write(client.encode())
        writer.write_eof()
        try:
            return int(await reader.read())
        finally:
            writer.close()


async def serve_limit(limit: RateLimit, path: Path) -> asyncio.Server:
    """Answer the workers that ask at the socket at `path`, until the returned server is closed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = (await reader.read()).decode()
        writer.write(str(await limit.seconds_to_wait(client)).encode())
        writer.close()

    return await asyncio.start_unix_server(answer, path)
