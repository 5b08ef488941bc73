"""Keys in a file: roles, sessions, and changes while a service runs."""

import json
import stat
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from common.keys.holders import ROLES
from common.keys.keyring import Keyring
from common.keys.keys_file import KeysFileError, add_key, change_keys, keys_path, read_keys, remove_key
from common.keys.sessions import LIFETIME, holder_of, new_session
from common.keys.wrong_keys import MOST, SECONDS, WrongKeys
from common.settings import Settings

NOW = 1_800_000_000.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, lab_home=tmp_path)


def add(settings: Settings, name: str = "anna", role: str = "review") -> str:
    made: list[str] = []
    known = next(each for each in ROLES if each == role)
    change_keys(keys_path(settings), lambda document: made.append(add_key(document, name, known)))
    return made[0]


def with_keys(settings: Settings, api_key: str | None = None, review_key: str | None = None) -> Settings:
    keys = {"api_key": api_key, "review_key": review_key}
    return settings.model_copy(update={name: SecretStr(key) if key else None for name, key in keys.items()})


def test_a_lab_is_open_until_it_has_a_key_of_any_kind(settings: Settings) -> None:
    assert not Keyring(settings).has_keys
    for keys in (("k", None), (None, "r"), ("k", "r")):
        found = Keyring(with_keys(settings, *keys))
        assert (found.has_keys, found.has_file) == (True, False)
    add(settings)
    assert (Keyring(settings).has_keys, Keyring(settings).has_file) == (True, True)


def test_each_role_may_do_what_the_ones_before_it_may(settings: Settings) -> None:
    keyring = Keyring(settings)
    for role in ROLES:
        holder = keyring.holder(add(settings, role, role))
        assert holder is not None
        assert [holder.may(each) for each in ROLES] == [each <= ROLES.index(role) for each in range(3)]


def test_the_keys_of_the_settings_have_roles_and_sessions_too(settings: Settings) -> None:
    both, alone = Keyring(with_keys(settings, "k", "r")), Keyring(with_keys(settings, "k"))
    assert [(found.name, found.role) for key in "kr" if (found := both.holder(key))] == [
        ("key", "review"),
        ("review key", "operate"),
    ]
    found = alone.holder("k")
    assert found
    assert found.role == "operate"
    session = new_session(found, 2**33)  # far in the future, so that it has not ended
    assert both.holder("") is None
    assert both.holder(session) is None
    assert alone.for_api(found, session) == "k"


def test_the_file_has_no_key_and_only_its_owner_may_read_it(settings: Settings) -> None:
    key = add(settings)
    assert key.encode() not in keys_path(settings).read_bytes()
    assert stat.S_IMODE(keys_path(settings).stat().st_mode) == 0o600


def test_keys_are_added_replaced_and_removed_without_a_restart(settings: Settings) -> None:
    keyring = Keyring(settings)
    first = add(settings)
    assert keyring.named(first)
    second = add(settings, role="operate")
    assert keyring.named(first) is None
    holder = keyring.named(second)
    assert holder
    assert (holder.name, holder.role) == ("anna", "operate")
    change_keys(keys_path(settings), lambda document: remove_key(document, "anna"))
    assert keyring.named(second) is None
    assert keyring.has_file  # the last key is gone, and the lab stays closed
    keys_path(settings).unlink()
    assert not keyring.has_file


def test_a_named_file_that_is_missing_opens_nothing(settings: Settings, tmp_path: Path) -> None:
    keyring = Keyring(settings.model_copy(update={"keys_file": tmp_path / "nowhere.json"}))
    assert keyring.has_file
    assert keyring.holder("anything") is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no file of keys"),
        ("{}", "secret"),
        (json.dumps({"secret": "?" * 44}), "base64"),
        (json.dumps({"secret": "A" * 44, "keys": [{"name": "Anna"}]}), "keys.0.name"),
        ("x" * (2**20 + 1), "longer"),
    ],
)
def test_a_broken_file_opens_nothing_and_its_error_names_the_place(
    settings: Settings, content: str, words: str
) -> None:
    keyring, path = Keyring(settings), keys_path(settings)
    key = add(settings)
    assert keyring.holder(key)
    path.write_text(content, encoding="utf-8")
    assert keyring.holder(key) is None
    assert keyring.has_file
    with pytest.raises(KeysFileError, match=words):
        read_keys(path)


@pytest.mark.parametrize(
    "name", ["key", "review key", "lab", "nobody", "", "Anna", "a.b", "1st", "a" * 33, "127.0.0.1"]
)
def test_a_name_that_could_be_taken_for_another_sender_is_refused(settings: Settings, name: str) -> None:
    with pytest.raises(KeysFileError, match="cannot be a key's name"):
        add(settings, name)
    assert not keys_path(settings).exists()


def test_a_session_ends_and_nobody_can_make_or_change_one(settings: Settings) -> None:
    keyring = Keyring(settings)
    anna, boss = keyring.named(add(settings)), keyring.named(add(settings, "boss", "operate"))
    assert anna
    assert boss
    known = {each.name: each for each in (anna, boss)}.get
    session = new_session(anna, NOW)
    assert holder_of(session, known, NOW) == anna
    assert holder_of(session, known, NOW + LIFETIME - 1) == anna
    assert holder_of(session, known, NOW + LIFETIME) is None
    _, _, until, signature = session.split(".")
    for forged in (
        f"session.boss.{until}.{signature}",
        f"session.anna.{int(until) + 1}.{signature}",
        f"session.anna.{until}.",
        f"session.anna.{until}",
        f"session.nobody.{until}.{signature}",
        f"session.anna.-1.{signature}",
        f"session.anna.\u0663.{signature}",
        "x" * 1000,
    ):
        assert holder_of(forged, known, NOW) is None, forged


def test_a_new_key_ends_the_sessions_of_the_old_one(settings: Settings) -> None:
    keyring = Keyring(settings)
    anna = keyring.named(add(settings))
    assert anna
    session = new_session(anna, NOW)
    again = keyring.named(add(settings))
    assert again
    assert holder_of(session, {"anna": again}.get, NOW) is None


def test_a_text_that_is_no_utf8_is_nobodys_session(settings: Settings) -> None:
    keyring = Keyring(settings)
    assert keyring.named(add(settings))
    for text in (b"\xff", b"session.anna.%d.\xff" % (time.time() + LIFETIME / 2)):
        assert keyring.holder(text.decode(errors="surrogateescape")) is None


def test_a_wrong_key_is_told_once_a_minute_for_each_client_and_seldom_for_many() -> None:
    wrong = WrongKeys()
    assert [wrong.worth_noting("a", now) for now in (0.0, 1.0, SECONDS, SECONDS + 1)] == [True, False, True, False]
    others = [wrong.worth_noting(f"{number}", SECONDS + 1) for number in range(MOST)]
    assert others == [True] * (MOST - 1) + [False]
    assert wrong.worth_noting("late", 2 * SECONDS)
