"""Send realistic rows of the problem to the api, and later the ground truth of its answers as feedback."""

import argparse
import asyncio
import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import httpx
from rich.console import Console
from rich.live import Live

from common.problem import Problem, ProblemError, Table, get_problem
from common.settings import Settings, SettingsError, load_settings
from common.table import DataError, read_table
from scripts.apis import api_port
from scripts.ports import HOST
from scripts.traffic_rows import Row, RowSource, Traffic, TrafficError
from scripts.traffic_tally import TrafficTally

IN_FLIGHT = 50  # predictions, and as many feedback messages: together the connections that httpx allows
IDLE_SECONDS = 2.0  # below the 5 s after which uvicorn closes a connection, perhaps while a request arrives
LATE_SECONDS = 1.0
RECENT_SECONDS = 5.0
TICK_SECONDS = 0.25


Show = Callable[[TrafficTally], None]


async def send(
    traffic: Traffic, problem: Problem, rows: Table, client: httpx.AsyncClient, on_progress: Show
) -> TrafficTally:
    """Send a traffic drawn from `rows` to the api of `client`; return after the last feedback.

    `on_progress` gets the tally, always the same object, four times a second and at the end, also after an error.

    Raises:
        TrafficError: no api answers, or the problem has no feature of the name that is to drift.
    """
    sender = _Sender(traffic, RowSource(traffic, problem, rows), client, on_progress)
    try:
        (await client.get("/livez")).raise_for_status()
    except httpx.HTTPError as error:
        where = str(client.base_url).rstrip("/")
        raise TrafficError(f"no api answers at {where}: start it (`make up`), or say where it is (--url)") from error
    return await sender.run()


class _Sender:
    """An open loop: it sends each row at its time, however slowly the api answers earlier rows."""

    def __init__(self, traffic: Traffic, rows: RowSource, client: httpx.AsyncClient, on_progress: Show) -> None:
        self._traffic, self._rows, self._client, self._on_progress = traffic, rows, client, on_progress
        self._in_flight: Counter[str] = Counter()
        self._tally = TrafficTally()

    async def run(self) -> TrafficTally:
        self._start = time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                ticking = group.create_task(self._tick())
                async with asyncio.TaskGroup() as requests:
                    await self._send_rows(requests)
                ticking.cancel()
        finally:
            self._report()
        return self._tally

    async def _send_rows(self, requests: asyncio.TaskGroup) -> None:
        for number in range(math.ceil(self._traffic.rate * self._traffic.seconds)):
            due = number / self._traffic.rate
            await asyncio.sleep(max(due - self._now(), 0.0))
            # A computer that was asleep or busy must not send all rows of that time in a burst.
            if self._now() - due > LATE_SECONDS:
                self._tally.skipped += 1
            else:
                requests.create_task(self._ask(self._rows.at(number)))

    async def _ask(self, row: Row) -> None:
        asked = self._now()
        if (answer := await self._post("/predict", row.features)) is None:
            return
        self._tally.answered += 1
        self._tally.outliers += row.is_outlier
        self._tally.latencies.append((self._now(), self._now() - asked))
        if row.label is not None:
            await asyncio.sleep(self._traffic.label_delay)
            truth = {"prediction_id": answer.json()["prediction_id"], "class_name": row.label}
            if await self._post("/feedback", truth) is not None:
                self._tally.labels += 1
                self._tally.wrong_labels += row.is_wrong

    async def _post(self, path: str, body: dict[str, Any]) -> httpx.Response | None:
        if self._in_flight[path] >= IN_FLIGHT:
            self._tally.skipped += 1
            return None
        self._in_flight[path] += 1
        self._tally.sent += path == "/predict"
        try:
            return (await self._client.post(path, json=body)).raise_for_status()
        except httpx.HTTPStatusError as error:
            self._tally.failed[f"{path} {error.response.status_code}"] += 1
        except httpx.HTTPError:
            self._tally.failed[f"{path} no answer"] += 1
        finally:
            self._in_flight[path] -= 1
        return None

    async def _tick(self) -> None:
        while True:
            self._report()
            await asyncio.sleep(TICK_SECONDS)

    def _report(self) -> None:
        self._tally.seconds = self._now()
        self._on_progress(self._tally)

    def _now(self) -> float:
        return time.monotonic() - self._start


def api_address(settings: Settings) -> str:
    """Return the address at which `make up` starts the api of the problem."""
    return f"http://{HOST}:{api_port(settings)}"


def key_header(settings: Settings) -> dict[str, str]:
    """Return the header that shows the key of the api, if one is set."""
    return {"X-API-Key": settings.api_key.get_secret_value()} if settings.api_key else {}


def new_client(url: str, settings: Settings) -> httpx.AsyncClient:
    """Return a client of the api at `url`, which shows the key if one is set."""
    both = 2 * IN_FLIGHT
    limits = httpx.Limits(max_connections=both, max_keepalive_connections=both, keepalive_expiry=IDLE_SECONDS)
    return httpx.AsyncClient(base_url=url, headers=key_header(settings), limits=limits, timeout=10.0)


class _Screen:
    """A table that follows the tally; a line every five seconds where there is no terminal."""

    def __init__(self) -> None:
        self.console = Console()
        self.live = Live(console=self.console, auto_refresh=False, transient=True)
        self.tally = TrafficTally()
        self._next_line = RECENT_SECONDS

    def show(self, tally: TrafficTally) -> None:
        self.tally = tally
        if self.console.is_interactive:
            self.live.update(tally.grid(RECENT_SECONDS), refresh=True)
        elif tally.seconds >= self._next_line:
            self._next_line += RECENT_SECONDS
            failed = f"{tally.failed.total()} failed, {tally.skipped} skipped"
            print(f"{tally.seconds:.0f} s: {tally.answered} answers, {tally.labels} labels, {failed}", flush=True)


def _named(text: str) -> tuple[str, float]:
    """Return a name and a number from `NAME=NUMBER`."""
    name, _, number = text.rpartition("=")
    if not math.isfinite(float(number)):
        raise ValueError(text)
    return name, float(number)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.traffic", description=__doc__)
    parser.add_argument("--url", help="address of the api (default: where `make up` starts it)")
    for option in (each for each in fields(Traffic) if each.metadata):
        text = f"{option.metadata['help']} (default: %(default)s)"
        flag = f"--{option.name.replace('_', '-')}"
        parser.add_argument(flag, type=float, default=option.default, metavar="NUMBER", help=text)
    parser.add_argument("--drift", type=_named, metavar="FEATURE=SHIFT", help="add SHIFT standard deviations")
    parser.add_argument("--share", type=_named, metavar="CLASS=SHARE", help="share of the rows that have a class")
    parser.add_argument("--seed", type=int, metavar="NUMBER", help="send the same rows each time")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace, screen: _Screen) -> None:
    traffic = Traffic(**{each.name: getattr(arguments, each.name) for each in fields(Traffic)})
    settings = load_settings()
    problem = get_problem(settings.problem)
    rows = read_table(settings.data_dir / "data.csv", problem, indices=False)
    async with new_client(arguments.url or api_address(settings), settings) as client:
        with screen.live:
            await send(traffic, problem, rows, client, screen.show)


def main() -> None:
    """Send traffic as the command line says; exit 1 if nothing could be sent."""
    screen = _Screen()
    try:
        asyncio.run(_run(_arguments(), screen))
    except KeyboardInterrupt:
        print("traffic: stopped early")
    except (TrafficError, DataError, SettingsError, ProblemError, httpx.InvalidURL) as error:
        sys.exit(f"traffic: {error}")
    screen.console.print(screen.tally.grid())
    if screen.tally.sent and screen.tally.sent == screen.tally.failed["/predict no answer"]:
        sys.exit("traffic: the api has answered nothing: is it still there?")


if __name__ == "__main__":
    main()
