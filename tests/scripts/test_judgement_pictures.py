"""The pictures of docs/judgement.md are those that the judge's functions draw now."""

from pathlib import Path

import pytest

from common.settings import PROJECT
from scripts.judgement_pictures import PICTURES, draw


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    draw(folder)
    return folder


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_in_the_documentation_is_up_to_date(drawn: Path, name: str) -> None:
    file = f"judgement-{name}.svg"
    assert (drawn / file).read_text() == (PROJECT / "docs" / file).read_text(), "python -m scripts.judgement_pictures"
