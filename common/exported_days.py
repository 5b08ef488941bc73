"""Days of the prediction log as Parquet files: FOLDER/PROBLEM/YYYY-MM-DD.parquet, one row for each answer.

The folder is a path, or an address of an S3-compatible store as pyarrow reads it, such as `s3://bucket/folder` or
`s3://bucket/folder?endpoint_override=host:9000`. A file appears when it is complete. Rows whose ground truth goes later
have a second file of the day, YYYY-MM-DD.truths.parquet, which comes first.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from common.store.retention.day_rows import DayRow

GROUP_ROWS = 20_000  # rows of one group in a file
READ_ROWS = 5_000  # rows that a reader has in memory
UUID_VERSION = 7
Part = Literal["all", "truths"]


class ExportError(RuntimeError):
    """A day cannot be written or read; the message says why."""


def write_day(folder: str, problem: str, day: date, part: Part, chunks: Iterable[Sequence[DayRow]]) -> int:
    """Write the rows of a day, in their order; return how many. A file that is there already is replaced as a whole.

    Raises:
        ExportError: pyarrow is not installed, or the folder cannot be written.
    """
    pa, parquet = _pyarrow()
    schema = _schema(pa)
    try:
        files, path = _place(pa, folder, problem, day, part)
        files.create_dir(os.path.dirname(path), recursive=True)  # noqa: PTH120  # it may be a key of S3
        part_path, rows = f"{path}.part", 0
        with files.open_output_stream(part_path) as stream, parquet.ParquetWriter(stream, schema) as writer:
            for group in _groups(chunks):
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
                rows += len(group)
        _to_disk(files, part_path)
        files.move(part_path, path)
    except (OSError, pa.ArrowException) as error:
        raise ExportError(f"{folder} cannot be written: {error}") from error
    return rows


def read_days(folder: str, problem: str, since: datetime, until: datetime) -> Iterator[list[DayRow]]:
    """Yield the exported rows from `since` to before `until`, day by day; days without a file are left out.

    A row that is in both files of its day comes once, with its ground truth.

    Raises:
        ExportError: pyarrow is not installed, the folder has no days of the problem, or a file cannot be read.
    """
    _check_folder(folder, problem)
    day = since.date()
    while datetime(day.year, day.month, day.day, tzinfo=UTC) < until:
        newer: set[tuple[str, str]] = set()
        for part in ("truths", "all"):
            for rows in _read(folder, problem, day, part):
                span = [row for row in rows if since <= row["predicted_at"] < until]
                yield [row for row in span if part == "truths" or (row["id"], row["role"]) not in newer]
                newer |= {(row["id"], row["role"]) for row in span} if part == "truths" else set()
        day += timedelta(days=1)


def erase_rows(folder: str, problem: str, prediction_ids: Collection[str]) -> int:
    """Erase predictions from the files of their days; return how many rows are gone. A file is replaced as a whole.

    An id has the moment of its prediction; the file of the day before or after may have the row if that was midnight.

    Raises:
        ExportError: an id is no prediction's, the folder has no days of the problem, or a file cannot be written.
    """
    _check_folder(folder, problem)
    near = {_day(each) + timedelta(days=days) for each in prediction_ids for days in (-1, 0, 1)}
    parts: tuple[Part, ...] = ("all", "truths")
    return sum(_erase(folder, problem, day, part, prediction_ids) for day in sorted(near) for part in parts)


def _erase(folder: str, problem: str, day: date, part: Part, prediction_ids: Collection[str]) -> int:
    found = sum(row["id"] in prediction_ids for rows in _read(folder, problem, day, part, ["id"]) for row in rows)
    if found:
        kept = ([row for row in rows if row["id"] not in prediction_ids] for rows in _read(folder, problem, day, part))
        write_day(folder, problem, day, part, kept)
    return found


def _day(prediction_id: str) -> date:
    # A UUID of version 7 begins with the milliseconds since 1970. Source: RFC 9562, section 5.7.
    try:
        found = UUID(prediction_id)
        if found.version == UUID_VERSION:
            return datetime.fromtimestamp((found.int >> 80) / 1e3, UTC).date()
    except (ValueError, OverflowError):
        pass
    raise ExportError(f"{prediction_id!r} is not the id of a prediction")


def _check_folder(folder: str, problem: str) -> None:
    pa, _ = _pyarrow()
    try:
        files, path = _place(pa, folder, problem, date.min, "all")
        if files.get_file_info(os.path.dirname(path)).type != pa.fs.FileType.Directory:  # noqa: PTH120  # see above
            raise ExportError(f"{folder} has no days of {problem}: EXPORT_PREDICTIONS has the folder's name")
    except (OSError, pa.ArrowException) as error:
        raise ExportError(f"{folder} cannot be read: {error}") from error


def _read(
    folder: str, problem: str, day: date, part: Part, columns: Sequence[str] | None = None
) -> Iterator[list[DayRow]]:
    pa, parquet = _pyarrow()
    try:
        files, path = _place(pa, folder, problem, day, part)
        if files.get_file_info(path).type == pa.fs.FileType.NotFound:
            return
        with files.open_input_file(path) as stream:
            for batch in parquet.ParquetFile(stream).iter_batches(READ_ROWS, columns=columns):
                yield batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise ExportError(f"the file of {day} in {folder} cannot be read: {error}") from error


def _groups(chunks: Iterable[Sequence[DayRow]]) -> Iterator[list[Mapping[str, Any]]]:
    group: list[Mapping[str, Any]] = []
    for chunk in chunks:
        group += chunk
        if len(group) >= GROUP_ROWS:
            yield group
            group = []
    yield group


def _place(pa: Any, folder: str, problem: str, day: date, part: Part) -> tuple[Any, str]:
    """Return the file system of a folder, and the path of a day's file in it."""
    address = folder if "://" in folder else Path(folder).resolve().as_uri()
    files, base = pa.fs.FileSystem.from_uri(address)
    return files, f"{base}/{problem}/{day.isoformat()}{'' if part == 'all' else f'.{part}'}.parquet"


def _to_disk(files: Any, path: str) -> None:
    """Wait until a local file is on the disk: its rows are deleted from the store afterwards."""
    if files.type_name == "local":
        with Path(path).open("rb+") as file:
            os.fsync(file.fileno())


def _schema(pa: Any) -> Any:
    moment = pa.timestamp("us", tz="UTC")
    text = dict.fromkeys(("id", "role", "problem", "model_name"), pa.string())
    numbers = {"confidence": pa.float64(), "is_outlier": pa.bool_(), "outlier_score": pa.float64()}
    truth = {"ground_truth": pa.string(), "ground_truth_at": moment, "trusted": pa.bool_()}
    json = {"features": pa.string(), "class_name": pa.string(), "probabilities": pa.string()}
    return pa.schema({**text, "model_version": pa.int32(), "predicted_at": moment, **json, **numbers, **truth})


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow.fs
        from pyarrow import parquet
    except ImportError:
        raise ExportError("pyarrow is missing: `make install` brings it, and the image of the monitor has it") from None
    return pyarrow, parquet
