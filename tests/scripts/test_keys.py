"""The command for named keys."""

from pathlib import Path

import pytest

from common.keys.keyring import Keyring
from common.settings import Settings
from scripts import keys


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return tmp_path


def test_a_key_is_printed_once_and_listed_without_itself(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys.main(["add", "anna", "--role", "review"]) == 0
    words, key = capsys.readouterr().out.splitlines()
    assert "anna" in words
    holder = Keyring(Settings(lab_home=home)).named(key)
    assert holder
    assert holder.role == "review"
    assert keys.main(["list"]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith("anna  review  since ")
    assert key not in listed
    assert keys.main(["remove", "anna"]) == 0
    assert Keyring(Settings(lab_home=home)).named(key) is None


@pytest.mark.parametrize(
    ("arguments", "words"), [(["remove", "otto"], "no key otto"), (["add", "A"], "name"), (["list"], "keys.json")]
)
def test_a_mistake_is_said_and_changes_nothing(home: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(SystemExit, match=words):
        keys.main(arguments)
    assert list(home.rglob("keys.json")) == []
