"""A clock of a part's own, which can be set while the part runs.

The library libfaketime, where it is installed, stands between the part and the time of day. The monotonic clock stays
as it is, as it does on a machine whose clock somebody sets.
"""

from pathlib import Path

from common.files import write_atomic

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
PRELOADED = Path(__file__).with_name("preloaded")


class OwnClock:
    """The time of day of a part, some seconds before or after that of the machine."""

    def __init__(self, file: Path) -> None:
        """Keep the difference in `file`; at first there is none."""
        self._file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set the clock to so many seconds after the machine's; the part sees it within a second."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._file, f"{seconds:+d}s\n".encode())

    def environment(self) -> dict[str, str]:
        """Return the variables that give a process this clock; none where the library is missing."""
        if not LIBRARIES:
            return {}
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # with it, threads of Python wait for each other too long
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": str(PRELOADED),
        }
