"""The page of the first hour: its pictures exist, are as large as they say, and its words are those of the run."""

import json
import re
import string

import pytest
from PIL import Image

from common.settings import PROJECT
from scripts.film.__main__ import FACTS
from scripts.film.story import FOLDER, SCENES, page
from scripts.pictures import Picture, variants

PAGE = PROJECT / "docs" / "first-hour.md"
FILM = PROJECT / "docs" / FOLDER
PICTURES = [picture for scene in SCENES for picture in variants(scene.name)]
MOST_BYTES = 4_000_000  # of all pictures together


def test_the_page_names_exactly_the_pictures_that_exist() -> None:
    named = set(re.findall(rf'(?:src|srcset)="{FOLDER}/([^"]+)"', PAGE.read_text(encoding="utf-8")))
    assert named == {file.name for file in FILM.glob("*.png")} == {picture.file for picture in PICTURES}


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.file)
def test_a_picture_is_as_wide_as_its_name_says(picture: Picture) -> None:
    with Image.open(FILM / picture.file) as image:
        assert image.size == (picture.width, picture.height)


def test_all_pictures_together_are_small() -> None:
    assert sum(file.stat().st_size for file in FILM.iterdir()) < MOST_BYTES


def test_the_words_of_the_page_are_those_of_the_run() -> None:
    facts = json.loads((FILM / FACTS).read_text(encoding="utf-8"))
    assert PAGE.read_text(encoding="utf-8") == page(facts), "python -m scripts.film --words"
    named = {field for scene in SCENES for _, field, _, _ in string.Formatter().parse(scene.text + scene.alt) if field}
    assert named == set(facts)
