"""Files are replaced whole or not at all."""

import hashlib
import os
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from common.files import md5, write_atomic
from common.settings import PROJECT


def test_a_new_file_and_its_folders_are_made_and_others_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(("content", "raises"), [(b"new", nullcontext()), ("text", pytest.raises(TypeError))])
def test_content_is_replaced_or_stays_and_no_temporary_file_is_left(
    tmp_path: Path, content: Any, raises: AbstractContextManager[Any]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old and longer")
    with raises:
        write_atomic(path, content)
    assert path.read_bytes() == (b"new" if content == b"new" else b"old and longer")
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    # A process that may not write files of more than 1000 bytes takes the place of a full disk.
    code = (
        "import resource, signal, sys; from pathlib import Path; from common.files import write_atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_atomic(Path(sys.argv[1]), bytes(5000))"
    )
    ended = subprocess.run(
        [sys.executable, "-B", "-c", code, str(path)], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "OSError" in ended.stderr
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_of_a_folder_raises_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="file"):
        write_atomic(folder, b"new")
    assert list(tmp_path.iterdir()) == [folder]


def test_md5_is_the_digest_of_the_bytes(tmp_path: Path) -> None:
    content = os.urandom(5000)
    (tmp_path / "file").write_bytes(content)
    assert md5(tmp_path / "file") == hashlib.md5(content, usedforsecurity=False).hexdigest()
