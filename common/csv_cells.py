"""Cells of CSV files for people: a spreadsheet runs some texts as formulas, and these are made harmless."""

import re
from typing import Any

# A formula begins with =, +, - or @. Excel takes the wide and small forms of these signs for the signs, and ignores
# blanks before them; Python's \s has not all characters that show nothing. Nor does a quotation mark show, where a
# program takes it for the beginning of a cell.
_BLANK = r"[\s\"\x00-\x1f\x7f\u00ad\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]"
_SIGN = r"[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b]"
# Where lists are separated by semicolons, a spreadsheet cuts a text with `;` in two, and so do some imports at a tab, a
# bar or the end of a line.
_FORMULA = re.compile(rf"(^|[;|\t\r\n])(?={_BLANK}*{_SIGN})")


def harmless(value: Any) -> Any:
    """Return a cell with an apostrophe before everything that a spreadsheet may run; values that are no text stay.

    A spreadsheet shows a cell that begins with an apostrophe as text.
    """
    if not isinstance(value, str):
        return value
    text = _FORMULA.sub(r"\1'", value)
    return f"'{text}" if value.startswith(("\t", "\r", "\n")) else text
