"""The licence of an installed package, from the metadata that it came with."""

from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata

from scripts.pinned import Pinned

# Names of PyPI's classifiers that stand for one licence of SPDX's list. "BSD License" may be any of several.
SPDX = {
    "Apache Software License": "Apache-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Zope Public License": "ZPL-2.1",
}
LONGEST_NAME = 80  # some packages have the whole text of their licence in the field for its name


def licence(package: Pinned) -> tuple[str, str] | None:
    """Return the kind of the licence (`expression` or `id`, by SPDX, or `name`) and its text; None if it is unknown.

    It is unknown if the package is not installed here at this version, or if its metadata have none.
    """
    try:
        found = metadata(package.name)
    except PackageNotFoundError:
        return None
    if _first(found, "Version") != package.version:
        return None
    if expression := _first(found, "License-Expression"):
        return "expression", expression
    classifiers = [each for each in found.get_all("Classifier") or [] if each.startswith("License :: ")]
    names = [each.rpartition(" :: ")[2] for each in classifiers if not each.endswith(":: OSI Approved")]
    if len(names) == 1:
        return ("id", SPDX[names[0]]) if names[0] in SPDX else ("name", names[0])
    said = " ".join(_first(found, "License").split())
    if 0 < len(said) <= LONGEST_NAME:
        return "name", said
    return ("name", " and ".join(sorted(names))) if names else None


def _first(found: PackageMetadata, name: str) -> str:
    """Return a field, empty if the metadata have none of this name."""
    return next((str(each) for each in found.get_all(name) or []), "")
