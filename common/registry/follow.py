"""Following the registry: looks at regular intervals that no error ends, and pauses before a version is tried again."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from common.background import GuardedLoop
from common.registry.client import RegistryError, RegistryUnavailableError, Version

MAX_RETRY_SECONDS = 60.0
# A version that takes long to fail waits this many times as long, but less than the alert on failures looks back.
PAUSES_PER_TRY, MAX_PAUSE_SECONDS = 10, 120.0


class RegistryFollower(GuardedLoop):
    """Looks at the registry every few seconds, from `start` to `stop`, whatever a look raises.

    An error of the registry, or another that is expected, is logged once until a look succeeds. After an unexpected
    error the pause doubles each time, up to one minute.
    """

    def __init__(
        self,
        subject: str,
        seconds: float,
        expected: type[Exception],
        on_unexpected: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare to follow.

        Args:
            subject: what a look updates, for the log; for example "the champion".
            seconds: the pause between two looks.
            expected: errors of a look, beside those of the registry, that say that another service is away.
            on_unexpected: is called after each unexpected error.
        """
        errors = (RegistryError, RegistryUnavailableError, expected)
        super().__init__(f"follow the registry for {subject}", f"{subject} cannot be updated", seconds, *errors)
        self._subject = subject
        self._first_seconds = seconds
        self._on_unexpected = on_unexpected
        self._failing: type[Exception] | None = None

    def _note(self, error: Exception | None) -> None:
        if error and not isinstance(error, self._expected):
            super()._note(error)
            self._on_unexpected()
            self._seconds = min(self._seconds * 2, MAX_RETRY_SECONDS)
            return
        if error is None:
            self._seconds = self._first_seconds
        failed_before, self._failing = self._failing, type(error) if error else None
        if error and failed_before is not type(error):
            self._logger.warning("%s until MLflow and the store work: %s", self._failure, error)
        elif failed_before and not error:
            self._logger.warning("%s can be updated again", self._subject)


class RetryPauses:
    """Decides when a version that could not be loaded is tried again: later after each failure.

    Another version is tried at once.
    """

    def __init__(self, first_seconds: float) -> None:
        """Start with a pause of `first_seconds`; each failure of the same version doubles it, up to one minute."""
        self._first_seconds = first_seconds
        self._failed: tuple[int, str] | None = None  # the identity of the version
        self._wait = first_seconds
        self._retry_at = 0.0  # by the monotonic clock

    def over(self, version: Version) -> bool:
        """Return whether the version may be tried now."""
        return self._failed != version.identity or time.monotonic() >= self._retry_at

    @contextmanager
    def attempt(self, version: Version) -> Iterator[None]:
        """Run a block that loads the version; an error of the block begins a pause, and is raised again."""
        began = time.monotonic()
        try:
            yield
        except Exception:
            ended = time.monotonic()
            again = self._failed == version.identity
            self._wait = min(self._wait * 2, MAX_RETRY_SECONDS) if again else self._first_seconds
            # A version that reaches its time limit at each try must not occupy a core all the time.
            self._retry_at = ended + max(self._wait, min(PAUSES_PER_TRY * (ended - began), MAX_PAUSE_SECONDS))
            self._failed = version.identity
            raise
        self._failed = None
