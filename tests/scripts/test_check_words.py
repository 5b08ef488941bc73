"""The check of how docstrings and comments open."""

from pathlib import Path

import pytest

from scripts.check_words import main, unclear

OPENINGS = {
    '"""What a module does."""\n': [(1, "What a module does.")],
    'def f() -> None:\n    """Whoever calls this waits.\n\n    More.\n    """\n': [(2, "Whoever calls this waits.")],
    "x = 1\n# Those are counted.\n": [(2, "Those are counted.")],
    "x = 1  # which is one\n": [(1, "which is one")],
}
GOOD = '''"""The module counts rows.

What stands in a later line is not checked.
"""

# The counter begins
# which a second line of a comment may continue.
rows = 0  # at the start
text = """What a plain string says is not checked."""
'''


@pytest.mark.parametrize("source", OPENINGS)
def test_a_text_that_opens_without_a_subject_is_found_with_its_line(source: str) -> None:
    assert unclear(source) == OPENINGS[source]


def test_good_openings_later_lines_and_plain_strings_are_not_found() -> None:
    assert unclear(GOOD) == []


def test_the_command_names_each_place_in_core_and_tests_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.py").write_text(GOOD, encoding="utf-8")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "all texts open well\n"
    bad = tmp_path / "tests" / "test_bad.py"
    bad.parent.mkdir()
    bad.write_text("# What is wrong here.\n", encoding="utf-8")
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"{bad}:1: What is wrong here.\n1 texts open without a subject\n"
