"""Named keys: `python -m scripts.keys add NAME --role review`, `… remove NAME`, and `… list`.

`add` prints the key once. A second `add` for the same name replaces the key. Running services follow within a request.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from common.keys.holders import ROLES
from common.keys.keys_file import KeysDocument, KeysFileError, add_key, change_keys, keys_path, read_keys, remove_key
from common.settings import SettingsError, load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Change the file of keys, or show it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.keys", description=__doc__)
    parser.add_argument("command", choices=("add", "remove", "list"))
    parser.add_argument("name", nargs="?", help="the name of the key: a person, or a program")
    parser.add_argument("--role", choices=ROLES, default="read", help="default: %(default)s")
    given = parser.parse_args(arguments)
    if (given.command == "list") != (given.name is None):
        parser.error("add and remove need a name, and list has none")
    try:
        path = keys_path(load_settings())
        if given.command == "list":
            _show(read_keys(path))
        else:
            _change(path, given.command, given.name, given.role)
    except (SettingsError, KeysFileError, OSError) as error:
        sys.exit(f"keys: {error}")
    return 0


def _show(document: KeysDocument) -> None:
    for each in document.keys:
        print(f"{each.name}  {each.role}  since {each.made_at:%Y-%m-%d %H:%M} UTC")
    if not document.keys:
        print("there is no key: nobody can log in")


def _change(path: Path, command: str, name: str, role: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made: list[str] = []

    def change(document: KeysDocument) -> None:
        if command == "add":
            made.append(add_key(document, name, next(each for each in ROLES if each == role)))
        elif not remove_key(document, name):
            raise KeysFileError(f"{path} has no key {name}")

    with FileLock(path.with_suffix(".lock")):
        if command == "remove" and not path.exists():
            raise KeysFileError(f"{path} has no key {name}")
        change_keys(path, change)
    for key in made:
        print(f"the key of {name}, role {role}; it is shown only now:\n{key}")
    if not made:
        print(f"{name} has no key any more")


if __name__ == "__main__":
    sys.exit(main())
