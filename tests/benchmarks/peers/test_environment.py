"""A peer's environment is complete or not used; it is made once, and again when its requirements change."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.peers.environment import PEERS, REQUIREMENTS, WHOLE, PeerError, made, python_of, version_of
from common.settings import PROJECT


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """A file without requirements, so that no package is downloaded."""
    file = tmp_path / "nothing.txt"
    file.write_text("# nothing\n", encoding="utf-8")
    return file


def leave_a_mark(environment: Path) -> Path:
    """Write a file into an environment; the file vanishes when the environment is made again."""
    mark = environment / "mark"
    mark.touch()
    return mark


def test_it_has_a_python_of_its_own(tmp_path: Path, requirements: Path) -> None:
    python = made(tmp_path / "env", requirements)
    prefix = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert Path(prefix.stdout.strip()) == tmp_path / "env"


@pytest.mark.parametrize("change", ["none", "other requirements", "an incomplete environment"])
def test_it_is_made_again_after_a_change(tmp_path: Path, requirements: Path, change: str) -> None:
    made(tmp_path / "env", requirements)
    mark = leave_a_mark(tmp_path / "env")
    if change == "other requirements":
        requirements.write_text("# nothing else\n", encoding="utf-8")
    if change == "an incomplete environment":
        (tmp_path / "env" / WHOLE).unlink()
    made(tmp_path / "env", requirements)
    assert mark.exists() == (change == "none")


def test_a_failed_installation_is_an_error_and_not_used_later(tmp_path: Path, requirements: Path) -> None:
    right = requirements.read_bytes()
    made(tmp_path / "env", requirements)
    requirements.write_text("no such file.whl\n", encoding="utf-8")
    with pytest.raises(PeerError, match="no such file"):
        made(tmp_path / "env", requirements)
    mark = leave_a_mark(tmp_path / "env")
    requirements.write_bytes(right)
    made(tmp_path / "env", requirements)
    assert not mark.exists()


def test_an_environment_that_may_be_half_removed_counts_as_incomplete(
    tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "env", requirements)
    requirements.write_text("# nothing else\n", encoding="utf-8")
    monkeypatch.setattr("uv.find_uv_bin", lambda: "false")
    with pytest.raises(PeerError, match="false venv"):
        made(tmp_path / "env", requirements)
    assert not (tmp_path / "env" / WHOLE).exists()


def test_two_at_once_make_it_once(tmp_path: Path, requirements: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        pythons = set(pool.map(lambda _: made(tmp_path / "env", requirements), range(2)))
    assert pythons == {tmp_path / "env" / "bin" / "python"}
    assert capfd.readouterr().err.count("installing nothing") == 1


def test_an_unknown_peer_is_an_error_that_names_the_known() -> None:
    with pytest.raises(PeerError, match="no peer seldon; known: mlserver, kserve"):
        python_of("seldon")


@pytest.mark.parametrize("name", PEERS)
def test_each_peer_is_pinned_by_hash_with_the_onnx_runtime_of_the_project(name: str) -> None:
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    assert re.fullmatch(r"\d+\.\d+\.\d+", version_of(name))
    assert "://" not in text
    pins = re.findall(r"^[\w.-]+(?:\[[\w,-]+\])?==.*\n((?: +--hash=sha256:[0-9a-f]{64}.*\n)*)", text, re.MULTILINE)
    assert pins
    assert all(pins)
    runtime = re.compile(r"^onnxruntime==([\w.]+)", re.MULTILINE)
    ours = (PROJECT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    assert runtime.findall(text) == runtime.findall(ours)[:1]
