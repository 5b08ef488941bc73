"""A process that writes to a store, beside others: `python -m tests.common.store.writer URL NAME BATCHES ROWS`."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from common.settings import PROJECT
from common.store import Store
from tests.common.store.rows import CLASSES, NOON, SETOSA, prediction, shadow, suggestion

FEEDBACK = 4  # messages per batch
SECONDS = 120


def write_batch(store: Store, name: str, rows: int) -> None:
    """Write rows of the champion, give some feedback, write rows of the shadow; correct one and suggest another."""
    ids = [f"{name}-{number}" for number in range(rows)]
    store.predictions.write([prediction(each, CLASSES[i % 3], at=NOON) for i, each in enumerate(ids)])
    for each in ids[:FEEDBACK]:
        store.feedback.give(each, SETOSA)
    store.predictions.write([shadow(each, CLASSES[i % 2]) for i, each in enumerate(ids)])
    store.correct(suggestion(f"{name}-replaced", prediction_id=ids[FEEDBACK]), replace=True)
    store.feedback.give(ids[FEEDBACK], CLASSES[1], replace=True)
    store.suggestions.add(suggestion(f"{name}-suggested"))
    store.suggestions.delivered(f"{name}-suggested", f"run of {name}")


def ids_of(name: str, batches: int, rows: int) -> set[str]:
    return {f"{name}-{batch}-{number}" for batch in range(batches) for number in range(rows)}


@contextmanager
def writers(url: str, names: Sequence[str], batches: int, rows: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Start writers; yield them when all have started and begin to write. None is left in the end."""
    command = [sys.executable, "-B", "-m", "tests.common.store.writer", url]
    started = [
        subprocess.Popen(
            [*command, name, str(batches), str(rows)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    try:
        assert [next_line(process) for process in started] == ["ready"] * len(names)
        for process in started:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def assert_succeed(started: list[subprocess.Popen[str]]) -> None:
    """See all of them end, without a word on stderr."""
    ends = [(process.communicate(timeout=SECONDS)[1], process.returncode) for process in started]
    assert ends == [("", 0)] * len(started)


def main() -> None:
    """Say `ready`, wait for a line, and write, saying the number of each batch that is written."""
    url, name, batches, rows = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    with closing(Store(url)) as store:
        for batch in range(int(batches)):
            write_batch(store, f"{name}-{batch}", int(rows))
            print(batch, flush=True)


if __name__ == "__main__":
    main()
