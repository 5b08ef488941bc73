"""Errors that people read: one line that says the reason."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def refused(error: type[Exception], match: str) -> Iterator[pytest.ExceptionInfo[Exception]]:
    """Expect an error with this reason, in one line."""
    with pytest.raises(error, match=match) as found:
        yield found
    assert len(str(found.value).splitlines()) == 1
