"""The file of a backup: a zip archive with a manifest, written as a whole or not at all, and believed in nothing.

The manifest has the size and the SHA-256 of each file, so that a reader finds damage before it changes anything.
"""

import hashlib
import json
import os
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

FORMAT = 1
MANIFEST = "manifest.json"
MAX_MANIFEST = 64 * 2**20  # bytes: 400 000 files
CHUNK = 2**20
COMPRESSION = 1  # gzip's levels: a level higher takes twice the time for a few per cent


class BackupError(RuntimeError):
    """A backup cannot be written or brought back; the message says why, and what to do."""


class ArchiveWriter:
    """Adds files to an archive, and remembers size and hash of each."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        """Write to `archive`."""
        self._archive = archive
        self.files: dict[str, dict[str, Any]] = {}

    def add(self, name: str, path: Path) -> int:
        """Add the file at `path`; return its size in bytes. One that was deleted meanwhile is left out."""
        try:
            source = path.open("rb")
        except FileNotFoundError:
            return 0
        digest, size = hashlib.sha256(), 0
        entry = zipfile.ZipInfo(name)
        entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, (stat.S_IFREG | 0o600) << 16
        with source, self._archive.open(entry, "w", force_zip64=True) as target:
            while content := source.read(CHUNK):
                target.write(content)
                digest.update(content)
                size += len(content)
        self.files[name] = {"bytes": size, "sha256": digest.hexdigest()}
        return size


@contextmanager
def written(path: Path, manifest: dict[str, Any]) -> Iterator[ArchiveWriter]:
    """Write an archive: at the end of the block it gets its manifest and its name; after an error nothing is left.

    Only its owner can read the file, since keys are in it.

    Args:
        path: of the archive, which must not exist.
        manifest: about the lab; the block may add to it.

    Raises:
        BackupError: there is such a file.
    """
    if path.exists():
        raise BackupError(f"{path} exists already: name another file")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp's files have the mode 600
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            with zipfile.ZipFile(file, "w", compresslevel=COMPRESSION) as archive:
                writer = ArchiveWriter(archive)
                yield writer
                whole = {"format": FORMAT, **manifest, "files": writer.files}
                archive.writestr(MANIFEST, json.dumps(whole, indent=1))
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a renaming, replaces nothing.
        os.link(partial, path)
    except FileExistsError:
        raise BackupError(f"{path} exists already: name another file") from None
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def opened(path: Path, max_bytes: int) -> Iterator["Archive"]:
    """Open an archive whose names and sizes are in order.

    Raises:
        BackupError: it is none, or it has a file with a name outside of the folder, a link, a file that the manifest
            does not name, or more than `max_bytes`.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}") from error
    with file:
        try:
            archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile as error:
            raise BackupError(f"{path} is no backup, or its end is missing: {error}") from error
        with archive:
            yield Archive(path, archive, max_bytes)


class Archive:
    """An archive whose names and sizes are in order.

    Attributes:
        manifest: what the lab said of itself when it was saved.
        files: size and hash of each file, by its name.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, max_bytes: int) -> None:
        """Check names and sizes, before anything is read but the manifest.

        Raises:
            BackupError: as `opened`.
        """
        self._path, self._archive = path, archive
        entries = [each for each in archive.infolist() if each.filename != MANIFEST]
        for each in entries:
            self._check_entry(each)
        self.manifest = self._manifest()
        self.files: Mapping[str, Mapping[str, Any]] = self.manifest["files"]
        names = [each.filename for each in entries]
        if len(set(names)) != len(names) or set(names) != self.files.keys():
            raise BackupError(f"{path} is damaged: its files are not the files that its manifest names")
        if (size := sum(each.file_size for each in entries)) > max_bytes:
            raise BackupError(
                f"{path} would take {size / 1e9:.1f} GB, more than the {max_bytes / 1e9:.1f} GB that are allowed: "
                "if you trust it, allow more with --max-gb"
            )
        if wrong := next(
            (each.filename for each in entries if each.file_size != self.files[each.filename]["bytes"]), ""
        ):
            raise BackupError(f"{path} is damaged: {wrong} does not have the size that the manifest names")

    def _check_entry(self, entry: zipfile.ZipInfo) -> None:
        name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
        if kind not in {0, stat.S_IFREG} or entry.is_dir():
            raise BackupError(f"{self._path} is refused: {name!r} in it is no file, but a link, a folder or a device")
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or str(path) != name or path.parts == ():
            raise BackupError(f"{self._path} is refused: the name {name!r} in it leads out of the folder")

    def _manifest(self) -> dict[str, Any]:
        try:
            entry = self._archive.getinfo(MANIFEST)
            if entry.file_size > MAX_MANIFEST:
                raise BackupError(f"{self._path} is refused: its manifest has {entry.file_size} bytes")
            with self._archive.open(entry) as file:
                found = json.loads(file.read(MAX_MANIFEST))
            known = found["format"] == FORMAT
            sizes = [(each["bytes"], each["sha256"]) for each in found["files"].values()]
        except (KeyError, TypeError, AttributeError, ValueError, zipfile.BadZipFile, OSError) as error:
            raise BackupError(f"{self._path} is no backup of the lab: its manifest cannot be read ({error})") from error
        if not known or not all(isinstance(size, int) and isinstance(digest, str) for size, digest in sizes):
            raise BackupError(f"{self._path} has a form that this version of the lab does not know")
        return dict(found)

    def check(self, name: str) -> None:
        """Read a file, and compare its hash.

        Raises:
            BackupError: the file is damaged.
        """
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  # a device has no Path
            self._copy(name, nowhere)

    def extract(self, name: str, path: Path, mode: int) -> None:
        """Write a file to `path`, with the rights `mode` less the umask, and compare its hash.

        Raises:
            BackupError: the file is damaged.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            self._copy(name, file)

    def _copy(self, name: str, target: IO[bytes]) -> None:
        digest, left = hashlib.sha256(), self.files[name]["bytes"]
        try:
            with self._archive.open(name) as source:
                while content := source.read(CHUNK):
                    left -= len(content)
                    if left < 0:
                        break
                    digest.update(content)
                    target.write(content)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise BackupError(f"{self._path} is damaged: {name} cannot be read ({error})") from error
        except OSError as error:
            raise BackupError(f"{name} cannot be read or written: {error.strerror or error}") from error
        if left or digest.hexdigest() != self.files[name]["sha256"]:
            raise BackupError(f"{self._path} is damaged: {name} is not what was saved")
