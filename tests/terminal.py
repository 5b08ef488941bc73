"""Programs of the project on a terminal of their own, as a person starts them."""

import os
import pty
import re
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from common.settings import PROJECT
from scripts.parts import stop, wait_for

CTRL_C = b"\x03"
LOOK_SECONDS = 0.1
# Makes its standard input the terminal that sends it Ctrl-C and hang-ups, and becomes the program.
TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A terminal, and the program that was started on it."""

    def __init__(self, screen: int, program: subprocess.Popen[bytes]) -> None:
        """Read all that `program` writes from the file descriptor `screen`."""
        self.program = program
        self._screen = screen
        self._written = bytearray()
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._read, name="terminal")
        self._reader.start()

    @property
    def text(self) -> str:
        """All that the program has written, without colours and movements of the cursor."""
        text = self._written.decode("utf-8", "replace").replace("\r\n", "\n")
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)

    def wait_for(self, words: str, within: float) -> None:
        """Wait until the program has written these words; fail at once if it ends before."""

        def shown() -> bool:
            ended = self.program.poll() is not None
            assert words in self.text or not ended, self.text
            return words in self.text

        wait_for(words, shown, within)

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._screen, keys)

    def close(self) -> None:
        """Close the window: the program gets a hang-up."""
        if not self._closing.is_set():
            self._closing.set()
            self._reader.join()
            os.close(self._screen)

    def _read(self) -> None:
        while not self._closing.is_set():
            if select.select([self._screen], [], [], LOOK_SECONDS)[0]:
                try:
                    self._written += os.read(self._screen, 65536)
                except OSError:  # the program has ended
                    return


@contextmanager
def on_terminal(command: Sequence[str], environment: Mapping[str, str], folder: Path = PROJECT) -> Iterator[Terminal]:
    """Start a command on a terminal of its own; at the end, close the terminal and stop the command."""
    screen, inside = pty.openpty()
    started = subprocess.Popen(
        [sys.executable, "-c", TAKE_TERMINAL, *command],
        stdin=inside, stdout=inside, stderr=inside, cwd=folder, env=dict(environment), start_new_session=True,
    )  # fmt: skip
    os.close(inside)
    terminal = Terminal(screen, started)
    try:
        yield terminal
    finally:
        terminal.close()
        stop(started)
