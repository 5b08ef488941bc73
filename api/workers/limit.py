"""One limit for all workers: who supervises them counts, and they ask, over a socket in the folder that they share."""

import asyncio
import socket
import threading
from pathlib import Path

from api.http.rate import RateLimit

SOCKET = "limit.sock"


def answer(limit: RateLimit, path: Path) -> None:
    """Tell whoever asks at `path`, from now on and in the background, how long a client has to wait."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    # A daemon: it holds nothing that is to be kept.
    threading.Thread(target=lambda: asyncio.run(_serve(limit, listener)), name="limit", daemon=True).start()


async def ask(path: Path, client: str) -> int:
    """Return what `RateLimit.seconds_to_wait` says in the process that answers at `path`."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(client.encode())
    writer.write_eof()
    try:
        return int(await reader.read())
    finally:
        writer.close()


async def _serve(limit: RateLimit, listener: socket.socket) -> None:
    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = (await reader.read()).decode()
        writer.write(str(await limit.seconds_to_wait(client)).encode())
        writer.close()

    server = await asyncio.start_unix_server(tell, sock=listener)
    await server.serve_forever()
