"""Where the apis of the stack are, for a command that is given the problem alone."""

from pathlib import Path

import pytest

from common.settings import Settings
from scripts.apis import announced, api_port, forget


@pytest.fixture(autouse=True)
def no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("API_PORT", raising=False)


def settings(home: Path, problem: str = "iris", **port: int) -> Settings:
    return Settings(_env_file=None, lab_home=home, problem=problem, **port)  # type: ignore[arg-type]  # by name


def test_the_port_is_that_on_which_the_problems_api_is_at_work(tmp_path: Path) -> None:
    with announced(settings(tmp_path, "iris", api_port=8123)), announced(settings(tmp_path, "wine", api_port=8124)):
        assert [api_port(settings(tmp_path, name)) for name in ("iris", "wine", "other")] == [8123, 8124, 8000]
    assert [api_port(settings(tmp_path, name)) for name in ("iris", "wine")] == [8000, 8000]


def test_a_port_that_is_set_counts_also_beside_a_running_api(tmp_path: Path) -> None:
    with announced(settings(tmp_path, api_port=8123)):
        assert api_port(settings(tmp_path, api_port=8000)) == 8000


def test_the_files_of_a_killed_stack_are_forgotten(tmp_path: Path) -> None:
    left = announced(settings(tmp_path, "wine", api_port=8124))
    left.__enter__()
    forget(settings(tmp_path))
    assert api_port(settings(tmp_path, "wine")) == 8000
    left.__exit__(None, None, None)
