"""Connections of the api and of the monitor: uvicorn's, and what it does not do for clients.

A client that asks for another protocol beside its request (`Upgrade: h2c`, as curl and Java's client do) is answered by
HTTP/1.1; uvicorn would lose the body. A client that closes its side after its request still gets the answer.

A connection holds no more, and no longer, than the settings say. A sweep looks at the deadlines of all connections of a
process, so that a request sets no timer.
"""

import asyncio
import heapq
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from common.settings import Settings

LIMITS = "connection_limits"  # where the application's state has its `Limits`
MAX_PIPELINED = 100  # requests of one connection that wait for their turn
SHARE = 20  # of all connections, one in so many gives way at once where there are too many

logger = logging.getLogger(__name__)


class Limits:
    """The limits of the connections of one process; where they hold too much, some are closed."""

    def __init__(self, settings: Settings) -> None:
        """Begin without connections."""
        self.settings = settings
        self.now = 0.0  # as of the last sweep
        self._every = min(1.0, settings.header_seconds / 4, settings.body_seconds / 4, settings.idle_seconds / 4)
        self._open: Iterable[Any] = ()
        self._unread = 0
        self._sweeps = False

    def add(self, newest: "Connection", connections: set[Any]) -> None:
        """Watch the connections of a server, one of which is new."""
        self._open = connections
        if not self._sweeps:
            self._sweeps = True
            self.now = newest.loop.time()
            newest.loop.call_later(self._every, self._sweep, newest.loop)
        if len(connections) > self.settings.max_connections:
            room = max(1, self.settings.max_connections // SHARE)
            going = self._nearest(room, [each for each in connections if each is not newest])
            for each in going or [newest]:
                each.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "there are too many connections (MAX_CONNECTIONS)")

    def hold(self, size: int, of: "Connection") -> None:
        """Count bytes of a request that is not whole."""
        of.held += size
        self._unread += size
        while self._unread > self.settings.max_unread_bytes:
            going = self._nearest(1, [each for each in self._open if each.held]) or [of]
            going[0].refuse(HTTPStatus.SERVICE_UNAVAILABLE, "there are too many unread requests (MAX_UNREAD_BYTES)")

    def release(self, of: "Connection") -> None:
        """Forget the bytes of a connection."""
        self._unread -= of.held
        of.held = 0

    def _nearest(self, count: int, among: Iterable["Connection"]) -> list["Connection"]:
        return heapq.nsmallest(count, (each for each in among if each.waits), key=lambda each: each.deadline)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = loop.time()
        late = [each for each in self._open if each.deadline < self.now and (each.waits or each.transport.is_closing())]
        for each in late:
            each.refuse(HTTPStatus.REQUEST_TIMEOUT, "the request has not come in time")
        self._sweeps = bool(self._open)
        if self._sweeps:
            loop.call_later(self._every, self._sweep, loop)


class Connection(HttpToolsProtocol):
    """A connection of a client."""

    cycle: Any  # what keeps the connection busy: uvicorn's, or a shorter one
    limits: Limits
    deadline = 0.0  # by when it must have gone on, unless it is its client who waits
    held = 0  # bytes of requests that were not whole when they came
    _upgrades = False  # whether the request that is being read asks for another protocol
    _is_whole = True  # whether the newest request has been read to its end
    _in_head = False  # whether its head has not
    _seen = 0  # bytes of its head, or of its body, after the read in which that began; -1 before

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Take a place among the connections."""
        super().connection_made(transport)
        self.limits = self.app_state.get(LIMITS) or self.app_state.setdefault(
            LIMITS, Limits(Settings.model_construct())
        )
        self.deadline = self.limits.now + self.limits.settings.header_seconds
        self.limits.add(self, self.connections)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place away."""
        super().connection_lost(exc)
        self.limits.release(self)

    @property
    def waits(self) -> bool:
        """Whether its client is to do something, who has until the deadline."""
        if self.transport.is_closing():
            return False
        if not self._is_whole and not self.flow.read_paused:
            return True
        return not self._is_answering or self.flow.write_paused

    def pause_writing(self) -> None:
        """Give the client some time to take its answer."""
        super().pause_writing()
        self.deadline = self.limits.now + self.limits.settings.body_seconds

    def refuse(self, status: HTTPStatus, detail: str) -> None:
        """Close the connection, with a word if there is a request that it can be the answer to."""
        self.limits.release(self)
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            self.transport.abort()
            return
        is_first = not self._is_answering or (not self._in_head and not self.pipeline)
        if not self._is_whole and is_first and not getattr(self.cycle, "response_started", False):
            content = detail.encode()
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
            head += f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode() + content)
            self.transport.close()
            logger.warning("a request is refused (%d): %s", status, detail)
        self._read_no_more()

    def data_received(self, data: bytes) -> None:
        """Read requests."""
        size = self.limits.settings.max_header_bytes
        if len(data) <= size:
            self._read_all(data)
        else:
            for start in range(0, len(data), size):
                self._read_all(data[start : start + size])

    def _read_all(self, data: bytes) -> None:
        size = len(data)
        while data:
            data = self._read(data)
        if not self._is_whole:
            self._wait_for_more(size)

    def _wait_for_more(self, size: int) -> None:
        settings = self.limits.settings
        if self._seen < 0:
            self._seen = 0
            self.deadline = self.limits.now + (settings.header_seconds if self._in_head else settings.body_seconds)
        else:
            self._seen += size
        if self._in_head and self._seen > settings.max_header_bytes:
            self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too long (MAX_HEADER_BYTES)")
        elif self._in_head or not self.cycle.response_complete:
            self.limits.hold(size, self)

    def _read(self, data: bytes) -> bytes:
        """Read requests; return what is to be read next."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._upgrades:
                self._read_no_more()
                return b""
            return self._without_upgrade() + data[upgrade.args[0] :]
        except httptools.HttpParserError:
            if len(self.pipeline) >= MAX_PIPELINED:
                self._read_no_more()
                return b""
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("Invalid HTTP request received.")
        return b""

    def on_message_begin(self) -> None:
        """Begin to read a request."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise ConnectionError("too many requests wait for their turn")
        super().on_message_begin()
        self._is_whole, self._in_head, self._seen = False, True, -1

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.server_state.total_requests += 1
        self.deadline = self.limits.now + self.limits.settings.idle_seconds
        if self.held:
            self.limits.release(self)
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def on_headers_complete(self) -> None:
        """Begin a request, unless it has to be read again."""
        # The other reason for an upgrade is CONNECT, which is a method that no route has.
        self._upgrades = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if not self._upgrades:
            self._in_head, self._seen = False, -1
            self.begin_request()

    def on_message_complete(self) -> None:
        """End a request, unless it has to be read again."""
        if not self._upgrades:
            self._is_whole = True
            self.end_request()

    def begin_request(self) -> None:
        """Take a request whose headers are here."""
        super().on_headers_complete()

    def end_request(self) -> None:
        """Take the end of a request's body."""
        super().on_message_complete()

    def _without_upgrade(self) -> bytes:
        """Return the head of the request without its wish, for a parser that has not heard of it."""
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        return b"\r\n".join([*lines, b"", b""])

    def _read_no_more(self) -> None:
        """Pass over whatever else comes, and close when what has come is answered."""
        is_unread = not self._is_whole and not self._in_head
        self._is_whole = True
        self.parser = _Deaf()  # type: ignore[assignment]
        if self._is_answering and not is_unread:
            self.cycle.keep_alive = False
        else:
            self.transport.close()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn lets every connection go
        """Return whether the connection stays until its client, which sends no more, has its answer."""
        if not self._is_whole or not self._is_answering:
            return False
        self._read_no_more()
        return True

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete


class _Deaf:
    """A parser that passes over everything."""

    def feed_data(self, data: bytes) -> None:
        """Do nothing."""
