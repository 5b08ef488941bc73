"""Ask a database of known faults about all pinned packages: `python -m scripts.known_faults`.

The database is OSV's (https://google.github.io/osv.dev/post-v1-querybatch/), or another one that speaks its protocol.
The exit code is 1 if it knows a fault, and 0 if it knows none or cannot be asked; then the output says so.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from scripts.pinned import DEVELOPMENT, IMAGES, Pinned, PinnedError, read_pinned

DATABASE = "https://api.osv.dev"
SECONDS = 30.0  # for everything
BATCH = 500  # the protocol allows 1 000
MOST_BYTES = 2**24  # of one answer
MOST_PAGES = 20  # of one batch


class DatabaseError(RuntimeError):
    """The database cannot be reached, takes too long, or is none."""


def pinned_everywhere() -> list[Pinned]:
    """Return each package at each version that an image or `make install` may have, without hashes."""
    files = (*IMAGES.values(), DEVELOPMENT)
    return sorted({Pinned(each.name, each.version) for path in files for each in read_pinned(path)})


def known_faults(packages: Sequence[Pinned], database: str, seconds: float = SECONDS) -> dict[Pinned, list[str]]:
    """Return the names of the faults of the packages that have any.

    Raises:
        DatabaseError: the database cannot be asked.
    """
    until = time.monotonic() + seconds
    found: dict[Pinned, list[str]] = {}
    with httpx.Client(base_url=database, timeout=min(seconds, 10.0)) as client:
        for start in range(0, len(packages), BATCH):
            for package, name in _faults(client, packages[start : start + BATCH], until):
                found.setdefault(package, []).append(name)
    return {package: sorted(set(names)) for package, names in found.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what the database says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.known_faults", description=__doc__)
    parser.add_argument("--database", default=DATABASE, help="its address; default: %(default)s")
    given = parser.parse_args(arguments)
    try:
        packages = pinned_everywhere()
    except (PinnedError, OSError) as error:
        sys.exit(f"known faults: {error}")
    try:
        found = known_faults(packages, given.database)
    except DatabaseError as error:
        print(f"no database can be reached, so nothing is known about faults of the {len(packages)} packages: {error}")
        return 0
    for package, names in found.items():
        print(f"{package.name} {package.version}: {', '.join(names)}")
    print(f"{len(packages)} packages at {given.database}: {len(found)} with known faults")
    return 1 if found else 0


def _faults(client: httpx.Client, packages: Sequence[Pinned], until: float) -> list[tuple[Pinned, str]]:
    found: list[tuple[Pinned, str]] = []
    waiting = [(each, "") for each in packages]
    for _ in range(MOST_PAGES):
        if not waiting:
            return found
        queries = [_query(*each) for each in waiting]
        results = _answer(client, {"queries": queries}, until).get("results")
        if not isinstance(results, list) or len(results) != len(waiting):
            raise DatabaseError(f"{client.base_url} does not answer as OSV does")
        asked, waiting = waiting, []
        for (package, _), result in zip(asked, results, strict=True):
            entry = result if isinstance(result, dict) else {}
            found += [(package, str(each.get("id"))) for each in entry.get("vulns") or []]
            if page := entry.get("next_page_token"):
                waiting.append((package, str(page)))
    raise DatabaseError(f"{client.base_url} has more than {MOST_PAGES} pages for one question")


def _query(package: Pinned, page: str) -> dict[str, Any]:
    query: dict[str, Any] = {"package": {"ecosystem": "PyPI", "name": package.name}, "version": package.version}
    return {**query, "page_token": page} if page else query


def _answer(client: httpx.Client, question: Mapping[str, Any], until: float) -> dict[str, Any]:
    """Return an answer as an object; stop reading at `MOST_BYTES`, and at the moment `until`."""
    read = bytearray()
    try:
        with client.stream("POST", "/v1/querybatch", json=question) as response:
            response.raise_for_status()
            for part in response.iter_bytes():
                read += part
                if len(read) > MOST_BYTES or time.monotonic() > until:
                    raise DatabaseError(f"{client.base_url} answers too much, or too slowly")
        found = json.loads(bytes(read))
    except (httpx.HTTPError, ValueError) as error:
        raise DatabaseError(f"{client.base_url}: {error!r}") from error
    if not isinstance(found, dict):
        raise DatabaseError(f"{client.base_url} does not answer as OSV does")
    return found


if __name__ == "__main__":
    sys.exit(main())
