"""The copy on disk, which several workers write."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from api.disk_copy import DiskCopy
from common.registry.client import Version

ROUNDS = 100


def test_several_workers_that_write_at_once_leave_one_whole_copy(tmp_path: Path) -> None:
    def write(number: int) -> None:
        at_once.wait()
        DiskCopy(tmp_path).write(Version("M", number, f"models:/m-{number}", {}), f"{number}".encode())

    at_once = threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:
        for _ in range(ROUNDS):
            list(pool.map(write, (1, 2, 3)))
            ((version, content),) = DiskCopy(tmp_path).newest_first()
            assert content == f"{version.number}".encode()
            assert {path.stem for path in tmp_path.glob("*.*")} == {f"{version.number}-m-{version.number}"}
