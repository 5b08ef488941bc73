"""Settings: their defaults, the environment and `.env`, and the values that are refused."""

import os
import re
from pathlib import Path

import pytest
from mlflow.utils.credentials import get_default_host_creds
from pydantic import ValidationError

from common.keys.keys_file import keys_path
from common.room_settings.containers import COMPOSE_KEYS
from common.settings import PROJECT, LogIns, Settings, SettingsError, load_settings
from tests.common.refusals import refused


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the lab is set, as after a fresh clone."""
    for name in [*Settings.model_fields, "mlflow_url"]:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)


def without_file() -> Settings:
    return load_settings(_env_file=None)


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = without_file()
    assert settings.problem == "iris"
    assert (settings.mlflow_port, settings.prefect_port, settings.api_port) == (5000, 4200, 8000)
    assert settings.mlflow_uri == "http://127.0.0.1:5000"
    assert settings.prefect_api_url == "http://127.0.0.1:4200/api"
    assert settings.lab_home == PROJECT
    assert settings.database_url == f"sqlite:///{PROJECT}/data/lab.db"
    assert settings.class_path is None
    assert (settings.evaluate_seconds, settings.window_seconds, settings.export_seconds) == (60, 300, 3600)
    assert settings.alert_webhook_url is None


def test_a_window_is_as_long_as_the_interval_at_least_so_that_nothing_falls_between_two() -> None:
    assert load_settings(_env_file=None, evaluate_seconds=900).window_seconds == 900
    assert load_settings(_env_file=None, evaluate_seconds=5).window_seconds == 300
    assert load_settings(_env_file=None, evaluate_seconds=60, window_seconds=60).window_seconds == 60
    with pytest.raises(SettingsError, match=r"WINDOW_SECONDS: .*EVALUATE_SECONDS"):
        load_settings(_env_file=None, evaluate_seconds=60, window_seconds=59)


def test_the_webhook_of_the_file_is_read_and_not_shown(env_file: Path) -> None:
    env_file.write_text("ALERT_WEBHOOK_URL=https://example.org/hook?token=secret\n", encoding="utf-8")
    settings = load_settings(_env_file=env_file)
    assert settings.alert_webhook_url
    assert settings.alert_webhook_url.get_secret_value() == "https://example.org/hook?token=secret"
    assert "secret" not in repr(settings)


def test_the_environment_of_settings_makes_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = load_settings(
        _env_file=None, lab_home=tmp_path, api_key="key", alert_webhook_url="http://127.0.0.1:1/", window_seconds=77
    )
    for name, value in given.environment().items():
        monkeypatch.setenv(name, value)
    again = without_file()
    assert again == given
    assert (again.api_key, again.alert_webhook_url) == (given.api_key, given.alert_webhook_url)


def test_the_environment_wins_over_the_file_and_the_file_over_defaults(
    monkeypatch: pytest.MonkeyPatch, env_file: Path
) -> None:
    env_file.write_text("API_PORT=8001\nMLFLOW_PORT=5001\n", encoding="utf-8")
    monkeypatch.setenv("API_PORT", "8002")
    settings = load_settings(_env_file=env_file)
    assert (settings.api_port, settings.mlflow_port, settings.prefect_port) == (8002, 5001, 4200)


def test_values_that_are_given_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBLEM", "breast_cancer")
    assert without_file().problem == "breast_cancer"
    assert load_settings(_env_file=None, problem="iris").problem == "iris"


@pytest.mark.parametrize("name", ["MLFLOW_URI", "MLFLOW_URL"])
def test_mlflow_is_found_under_both_of_its_names(monkeypatch: pytest.MonkeyPatch, env_file: Path, name: str) -> None:
    monkeypatch.setenv(name, "http://mlflow:5000")
    assert without_file().mlflow_uri == "http://mlflow:5000"
    monkeypatch.delenv(name)
    env_file.write_text(f"{name}=http://elsewhere:5000\n", encoding="utf-8")
    assert load_settings(_env_file=env_file).mlflow_uri == "http://elsewhere:5000"


@pytest.mark.parametrize(
    ("variables", "addresses"),
    [
        ({"MLFLOW_URI": "http://first:5000", "MLFLOW_URL": "http://second:5000"}, {"mlflow_uri": "http://first:5000"}),
        (
            {"MLFLOW_PORT": "5005", "PREFECT_PORT": "4205"},
            {"mlflow_uri": "http://127.0.0.1:5005", "prefect_api_url": "http://127.0.0.1:4205/api"},
        ),
        ({"MLFLOW_PORT": "5005", "MLFLOW_URI": "http://mlflow:5000"}, {"mlflow_uri": "http://mlflow:5000"}),
        ({"MLFLOW_TRACKING_URI": "http://elsewhere:1", "X": "1"}, {"mlflow_uri": "http://127.0.0.1:5000"}),
    ],
    ids=["MLFLOW_URI wins", "addresses follow ports", "an address that is set does not", "others' variables"],
)
def test_addresses_follow_from_the_variables(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], addresses: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert {name: getattr(without_file(), name) for name in addresses} == addresses


def test_the_home_moves_data_store_and_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    settings = without_file()
    assert settings.data_dir == tmp_path / "data" / "iris"
    assert settings.corrections == tmp_path / "data" / "iris" / "finetune.csv"
    assert settings.state_dir == tmp_path / ".lab"
    assert settings.database_url == f"sqlite:///{tmp_path}/data/lab.db"


def test_a_variable_that_is_empty_counts_as_not_set(monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
    for name in ("PROBLEM", "MLFLOW_URI", "API_PORT", "CLASS_PATH", "LAB_HOME", "DATABASE_URL"):
        monkeypatch.setenv(name, "")
    env_file.write_text("MLFLOW_PORT=\nPREFECT_PORT=\n", encoding="utf-8")
    settings = load_settings(_env_file=env_file)
    assert settings.problem == "iris"
    assert settings.mlflow_uri == "http://127.0.0.1:5000"
    assert settings.api_port == 8000
    assert settings.class_path is None
    assert settings.lab_home == PROJECT
    assert settings.database_url == f"sqlite:///{PROJECT}/data/lab.db"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("MLFLOW_PROT=5001", "MLFLOW_PROT"),
        ("api_prot=8001", "API_PROT"),
        ("API_PORT=eight", "API_PORT"),
        ("API_PORT=0", "API_PORT"),
        ("MLFLOW_PORT=65536", "MLFLOW_PORT"),
        ("MLFLOW_URI=localhost:5000", "MLFLOW_URI"),
        ("MLFLOW_URL=localhost:5000", "MLFLOW_UR"),
        ("PREFECT_API_URL=ftp://prefect/api", "PREFECT_API_URL"),
        ("PROBLEM=../iris", "PROBLEM"),
        ("FORWARDED_ALLOW_IPS=10.0.0.1/8", "FORWARDED_ALLOW_IPS"),
        ("FORWARDED_ALLOW_IPS=10.0.0.1,proxy", "FORWARDED_ALLOW_IPS"),
        ("EVALUATE_SECONDS=0", "EVALUATE_SECONDS"),
        ("WINDOW_SECONDS=59", "WINDOW_SECONDS"),
        ("EXPORT_SECONDS=often", "EXPORT_SECONDS"),
        ("ALERT_WEBHOOK_URL=example.org/hook", "ALERT_WEBHOOK_URL"),
        ("PROBLEM=Iris", "PROBLEM"),
        ("POSTGRES_PASSWORDS=x", "POSTGRES_PASSWORDS"),
        ("NO_SUCH_KEY=1\nAPI_PORT=eight", r"(?=.*NO_SUCH_KEY)(?=.*API_PORT)"),
    ],
)
def test_a_bad_line_of_the_file_is_refused_in_one_line_that_names_the_key(
    env_file: Path, line: str, named: str
) -> None:
    env_file.write_text(f"{line}\n", encoding="utf-8")
    with refused(SettingsError, f"^bad settings: {named}"):
        load_settings(_env_file=env_file)


@pytest.mark.parametrize("value", ["*", "127.0.0.1", "10.213.97.0/24, 192.0.2.7", "2001:db8::/32"])
def test_proxies_are_named_by_address_or_network(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", value)
    assert without_file().forwarded_allow_ips == value


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PROBLEM", "Wine", "'Wine' is not the name of a file in problems/: use small letters, digits and underscores"),
        ("MLFLOW_PORT", "0", "Input should be greater than or equal to 1"),
    ],
)
def test_only_the_wrong_setting_is_named_and_none_that_follows_from_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        without_file()
    assert str(error.value) == f"bad settings: {name}: {said} (see docs/settings.md)"


@pytest.mark.parametrize(
    ("lines", "header"),
    [
        ("MLFLOW_TRACKING_USERNAME=me\nMLFLOW_TRACKING_PASSWORD=päss:w\n", "Basic bWU6cMOkc3M6dw=="),
        ("MLFLOW_TRACKING_TOKEN=abc\n", "Bearer abc"),
        ("MLFLOW_TRACKING_USERNAME=me\nMLFLOW_TRACKING_PASSWORD=x\nMLFLOW_TRACKING_TOKEN=abc\n", "Basic bWU6eA=="),
        ("MLFLOW_TRACKING_USERNAME=me\n", None),
        ("", None),
    ],
)
def test_a_log_in_of_the_file_is_mlflows_too_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, env_file: Path, lines: str, header: str | None
) -> None:
    for name in LogIns.model_fields:
        # So that these variables are taken away again.
        monkeypatch.setenv(name.upper(), "")
    env_file.write_text(lines, encoding="utf-8")
    settings = load_settings(_env_file=env_file)
    assert LogIns().mlflow_headers() == ({"Authorization": header} if header else {})
    assert "abc" not in repr(settings)
    creds = get_default_host_creds("http://127.0.0.1:1")  # type: ignore[no-untyped-call]
    given = dict(line.split("=", 1) for line in lines.splitlines())
    assert [creds.username, creds.password, creds.token or None] == [
        given.get(name.upper()) for name in LogIns.model_fields if name.startswith("mlflow")
    ]


def test_settings_cannot_be_changed() -> None:
    settings = without_file()
    with pytest.raises(ValidationError, match="frozen"):
        settings.problem = "other"  # type: ignore[misc]
    assert settings.problem == "iris"


def test_every_setting_has_a_description() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_line_of_the_examples_for_compose_is_understood_and_no_other_is_passed_over(env_file: Path) -> None:
    files = (".env.example", "containers/lesson.env")
    example = "".join((PROJECT / name).read_text(encoding="utf-8") for name in files)
    keys = set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", example, re.MULTILINE))
    assert {key.upper() for key in COMPOSE_KEYS} == keys - {name.upper() for name in Settings.model_fields}
    env_file.write_text("".join(f"{key}=\n" for key in sorted(keys)) + "GRAFANA_PORT=3001\nAPI_PORT=8001\n")
    assert load_settings(_env_file=env_file).api_port == 8001


@pytest.mark.parametrize(
    ("line", "log_in"),
    [
        ("PREFECT_API_AUTH_STRING=lab:p:w\n", ("lab", "p:w")),
        ("PREFECT_API_AUTH_STRING=lab\n", ("lab", "")),
        ("", None),
    ],
)
def test_a_log_in_for_prefect_is_its_packages_too_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, env_file: Path, line: str, log_in: tuple[str, str] | None
) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "")
    env_file.write_text(line, encoding="utf-8")
    settings = load_settings(_env_file=env_file)
    assert settings.prefect_log_in == log_in
    assert os.environ["PREFECT_API_AUTH_STRING"] == line.strip().partition("=")[2]
    assert "p:w" not in repr(settings)


@pytest.mark.parametrize("given", ["API_KEY", "KEYS_FILE", "keys.json"])
def test_a_lab_has_keys_with_one_of_the_settings_or_with_a_file_of_named_keys(tmp_path: Path, given: str) -> None:
    without = Settings(_env_file=None, lab_home=tmp_path)
    assert not without.has_keys
    if given == "keys.json":
        path = keys_path(without)
        path.parent.mkdir(parents=True)
        path.write_text("{}")
        assert without.has_keys
    else:
        assert without.model_copy(update={given.lower(): "x" * 20}).has_keys
