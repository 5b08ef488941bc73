"""The first hour as a film: `python -m scripts.film` plays it on real servers, and writes docs/first-hour.md.

Begin with `play.py`. `story.py` has the words; `python -m scripts.film --words` writes the page again without playing.
"""
