"""The metadata of a bundle: JSON values in the ONNX file's `metadata_props`, read and checked.

Keys: `problem`, `classes`, `features`, `reference` (statistics of the training rows, see `reference.py`), `golden`
(golden rows), `outliers` (threshold and training rate), `outlier_part` (the part of the graph that gives outlier
scores, see `export.py`) and `metrics` (results on the test rows).
"""

import json
import math
import re
import textwrap
from collections import Counter
from typing import Any

from common.bundle.answer import ModelError

MAX_NAME = 256  # characters of a class name: the store's column has no more


def decode(properties: dict[str, str]) -> dict[str, Any]:
    """Return the decoded values of `metadata_props`; text that is not JSON, from other tools, stays as it is."""
    decoded: dict[str, Any] = {}
    for key, text in properties.items():
        try:
            decoded[key] = json.loads(text)
        except ValueError:
            decoded[key] = text
    return decoded


def outlier_threshold(metadata: dict[str, Any]) -> float:
    """Return the score below which a row is an outlier.

    Raises:
        ModelError: the metadata have no such number.
    """
    described: Any = metadata.get("outliers")
    try:
        threshold = described["threshold"]
        usable = not isinstance(threshold, bool) and math.isfinite(threshold)
    except (KeyError, TypeError, OverflowError):
        usable = False
    if not usable:
        raise ModelError(f"the model gives outlier scores, but their threshold is not a number: {described!r}")
    return float(threshold)


def class_names(names: Any) -> tuple[str, ...]:
    """Return class names that can be sent and logged.

    Raises:
        ModelError: there are no names, or one cannot be used; the message says which.
    """
    if not names:
        raise ModelError("the model has no class names: set CLASS_PATH to a JSON file that lists them")
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ModelError(f"the class names are not a list of names: {_short(names)}")
    for name in names:
        # UTF-8 cannot encode half of a surrogate pair, and PostgreSQL stores no zero byte.
        if not name or len(name) > MAX_NAME or re.search(r"[\x00\ud800-\udfff]", name):
            raise ModelError(f"a class name cannot be sent and logged: {_short(name)} ({len(name)} characters)")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ModelError(f"two classes have the same name: {_short(repeated[0])}")
    return tuple(names)


def _short(value: Any) -> str:
    return textwrap.shorten(repr(value)[:1000], 80, placeholder="…")
