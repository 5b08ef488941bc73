"""The file of a backup: whole or not at all, and nothing is believed that it says."""

import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.backup.archive import MANIFEST, BackupError, opened, written

ROOM = 10**6


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of two files."""
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"the content of {name}\n" * 100)
    path = tmp_path / "lab.zip"
    with written(path, {"made_at": "now"}) as writer:
        writer.add("data/one", tmp_path / "one")
        writer.add("data/two", tmp_path / "two")
        writer.add("data/three", tmp_path / "deleted meanwhile")
    return path


def test_an_archive_gives_back_what_was_saved_and_only_its_owner_can_read_it(archive: Path, tmp_path: Path) -> None:
    with opened(archive, ROOM) as found:
        assert found.files.keys() == {"data/one", "data/two"}
        assert found.manifest["made_at"] == "now"
        found.check("data/one")
        found.extract("data/one", tmp_path / "new" / "one", 0o600)
    assert (tmp_path / "new" / "one").read_bytes() == (tmp_path / "one").read_bytes()
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600


def test_an_archive_is_written_whole_or_not_at_all_and_replaces_none(archive: Path, tmp_path: Path) -> None:
    before = archive.read_bytes()
    with pytest.raises(BackupError, match="exists already"), written(archive, {}):
        pass
    failed = tmp_path / "failed.zip"
    with pytest.raises(IsADirectoryError), written(failed, {}) as writer:
        writer.add("data/folder", tmp_path)
    assert archive.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lab.zip", "one", "two"]


def rewritten(archive: Path, name: str, content: bytes, mode: int = stat.S_IFREG) -> Path:
    """Return an archive with one more file, which its manifest names, too."""
    with zipfile.ZipFile(archive) as found:
        files = {each: found.read(each) for each in found.namelist()}
    manifest = json.loads(files.pop(MANIFEST))
    manifest["files"][name] = {"bytes": len(content), "sha256": "0"}
    path = archive.with_name("rewritten.zip")
    with zipfile.ZipFile(path, "w") as changed:
        for each, old in files.items():
            changed.writestr(each, old)
        entry = zipfile.ZipInfo(name)
        entry.external_attr = (mode | 0o600) << 16
        changed.writestr(entry, content)
        changed.writestr(MANIFEST, json.dumps(manifest))
    return path


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("../outside", stat.S_IFREG, "leads out"),
        ("data/../../outside", stat.S_IFREG, "leads out"),
        ("/etc/outside", stat.S_IFREG, "leads out"),
        ("data\\..\\outside", stat.S_IFREG, "leads out"),
        ("data//outside", stat.S_IFREG, "leads out"),
        ("data/link", stat.S_IFLNK, "a link"),
        ("data/device", stat.S_IFCHR, "a device"),
        ("data/folder/", stat.S_IFREG, "a folder"),
    ],
)
def test_names_that_lead_out_and_links_are_refused(archive: Path, name: str, mode: int, words: str) -> None:
    with pytest.raises(BackupError, match=words), opened(rewritten(archive, name, b"/etc", mode), ROOM):
        pass


def test_an_archive_larger_than_allowed_is_refused_before_it_is_read(archive: Path) -> None:
    with pytest.raises(BackupError, match=r"more than the 0\.0 GB that are allowed: .* --max-gb"), opened(archive, 100):
        pass


def test_a_file_that_is_not_what_was_saved_is_damage(archive: Path) -> None:
    with opened(rewritten(archive, "data/other", b"other"), ROOM) as found:
        found.check("data/one")
        with pytest.raises(BackupError, match="data/other is not what was saved"):
            found.check("data/other")


def without_end(content: bytes) -> bytes:
    return content[:-100]


def with_changed_bytes(content: bytes) -> bytes:
    return content[:60] + bytes(each ^ 0xFF for each in content[60:64]) + content[64:]


def other_bytes(_: bytes) -> bytes:
    return b"no archive"


@pytest.mark.parametrize("damage", [without_end, with_changed_bytes, other_bytes])
def test_damage_is_found_and_named(archive: Path, damage: Callable[[bytes], bytes]) -> None:
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(BackupError, match=r"damaged|no backup"), opened(archive, ROOM) as found:
        list(map(found.check, found.files))


@pytest.mark.parametrize(
    "manifest", ["[]", "{}", "no JSON", '{"format": 2, "files": {}}', '{"format": 1, "files": {"a": 1}}']
)
def test_a_manifest_that_the_lab_does_not_write_is_refused(tmp_path: Path, manifest: str) -> None:
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as other:
        other.writestr(MANIFEST, manifest)
    with pytest.raises(BackupError, match=r"cannot be read|does not know"), opened(path, ROOM):
        pass
