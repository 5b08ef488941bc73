"""Connections of the api and of the monitor: uvicorn's HTTP/1.1 with limits, and with answers for two more clients.

A client may ask for another protocol with its request (`Upgrade: h2c`, as curl and Java's client do). This server
answers by HTTP/1.1; uvicorn would lose the body. A client that closes its side after its request still gets the answer.

The settings limit how many bytes a connection holds and how long it lasts. One sweep looks at the deadlines of all
connections of a process, so that no request sets a timer.
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

LIMITS = "connection_limits"  # the key of `Limits` in the application's state
MAX_PIPELINED = 100  # requests of one connection that wait until the ones before are answered
SHARE = 20  # above MAX_CONNECTIONS, one in 20 connections is closed at once

logger = logging.getLogger(__name__)


class Limits:
    """The limits of the connections of one process; above a limit, the connections nearest to their deadlines close."""

    def __init__(self, settings: Settings) -> None:
        """Read the limits from the settings."""
        self.settings = settings
        self.now = 0.0  # as of the last sweep
        self._every = min(1.0, settings.header_seconds / 4, settings.body_seconds / 4, settings.idle_seconds / 4)
        self._open: Iterable[Any] = ()
        self._unread = 0
        self._sweeps = False

    def add(self, newest: "Connection", connections: set[Any]) -> None:
        """Watch the connections of a server; `newest` has just been added to them."""
        self._open = connections
        if not self._sweeps:
            self._sweeps = True
            self.now = newest.loop.time()
            newest.loop.call_later(self._every, self._sweep, newest.loop)
        if len(connections) > self.settings.max_connections:
            count = max(1, self.settings.max_connections // SHARE)
            for each in self._nearest(count, connections - {newest}) or [newest]:
                each.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "there are too many connections (MAX_CONNECTIONS)")

    def hold(self, size: int, connection: "Connection") -> None:
        """Count bytes of a request that is not complete."""
        connection.held += size
        self._unread += size
        while self._unread > self.settings.max_unread_bytes:
            [first] = self._nearest(1, [each for each in self._open if each.held]) or [connection]
            first.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "there are too many unread requests (MAX_UNREAD_BYTES)")

    def release(self, connection: "Connection") -> None:
        """Forget the bytes of a connection."""
        self._unread -= connection.held
        connection.held = 0

    def _nearest(self, count: int, among: Iterable["Connection"]) -> list["Connection"]:
        return heapq.nsmallest(count, (each for each in among if each.needs_client), key=lambda each: each.deadline)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = loop.time()
        for each in [each for each in self._open if each.deadline < self.now]:
            if each.needs_client or each.transport.is_closing():
                each.refuse(HTTPStatus.REQUEST_TIMEOUT, "the request did not arrive in time")
        self._sweeps = bool(self._open)
        if self._sweeps:
            loop.call_later(self._every, self._sweep, loop)


class Connection(HttpToolsProtocol):
    """A connection of a client."""

    cycle: Any  # the request that is being answered: uvicorn's class, or the fast path's
    limits: Limits
    deadline = 0.0  # the event loop's time by which the client has to act, if `needs_client`
    held = 0  # bytes of requests that were not complete when the bytes arrived
    _asks_upgrade = False  # of the newest request, like the next three
    _is_whole = True  # read to its end
    _in_head = False
    _seen = 0  # bytes of its head or of its body after the read in which that part began; -1 until then

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin to watch the connection."""
        super().connection_made(transport)
        limits = self.app_state.get(LIMITS) or Limits(Settings.model_construct())
        self.limits = self.app_state.setdefault(LIMITS, limits)
        self.deadline = self.limits.now + self.limits.settings.header_seconds
        self.limits.add(self, self.connections)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the bytes of the connection."""
        super().connection_lost(exc)
        self.limits.release(self)

    @property
    def needs_client(self) -> bool:
        """Whether the client has to send or to read before the deadline."""
        if self.transport.is_closing():
            return False
        if not self._is_whole and not self.flow.read_paused:
            return True
        return not self._is_answering or self.flow.write_paused

    def pause_writing(self) -> None:
        """Give the client `body_seconds` to read its answer."""
        super().pause_writing()
        self.deadline = self.limits.now + self.limits.settings.body_seconds

    def refuse(self, status: HTTPStatus, detail: str) -> None:
        """Close the connection; answer its request with `status` and `detail` if no other answer has begun."""
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
        self._ignore_rest()

    def data_received(self, data: bytes) -> None:
        """Read requests."""
        size = self.limits.settings.max_header_bytes
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
        """Read requests; return the bytes that have to be read next."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._asks_upgrade:
                return self._without_upgrade() + data[upgrade.args[0] :]
            self._ignore_rest()
        except httptools.HttpParserError:
            if len(self.pipeline) >= MAX_PIPELINED:
                self._ignore_rest()
            else:
                self.logger.warning("Invalid HTTP request received.")
                self.send_400_response("Invalid HTTP request received.")
        return b""

    def on_message_begin(self) -> None:
        """Begin to read a request."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise ConnectionError("too many requests wait for an answer")
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
        """Begin a request, unless it has to be read again without its upgrade."""
        # The parser takes CONNECT for an upgrade, too. No route has this method.
        self._asks_upgrade = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if not self._asks_upgrade:
            self._in_head, self._seen = False, -1
            self.begin_request()

    def on_message_complete(self) -> None:
        """End a request, unless it has to be read again without its upgrade."""
        if not self._asks_upgrade:
            self._is_whole = True
            self.end_request()

    def begin_request(self) -> None:
        """Handle a request whose headers have arrived."""
        super().on_headers_complete()

    def end_request(self) -> None:
        """Handle the end of a request's body."""
        super().on_message_complete()

    def _without_upgrade(self) -> bytes:
        """Return the head of the request without `Upgrade`, and make a new parser for it."""
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        return b"\r\n".join([*lines, b"", b""])

    def _ignore_rest(self) -> None:
        """Ignore all further bytes, and close when the requests that have arrived are answered."""
        is_unread = not self._is_whole and not self._in_head
        self._is_whole = True
        self.parser = _Ignore()  # type: ignore[assignment]
        if self._is_answering and not is_unread:
            self.cycle.keep_alive = False
        else:
            self.transport.close()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn closes every connection
        """Return whether the connection stays open until its client, which sends no more, has its answer."""
        if not self._is_whole or not self._is_answering:
            return False
        self._ignore_rest()
        return True

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete


class _Ignore:
    """A parser that ignores its input."""

    def feed_data(self, data: bytes) -> None:
        """Do nothing."""
