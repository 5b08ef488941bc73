"""The grader of the lesson: it starts what a student has built, looks at its behaviour, and gives points.

It imports nothing of the lab, and reads no code of the student. Nothing is sent anywhere.
"""

from collections.abc import Sequence


def main(words: Sequence[str]) -> int:
    """Run `python -m lesson grade`; return the exit code."""
    from lesson.grading.command import main as command

    return command(words)
