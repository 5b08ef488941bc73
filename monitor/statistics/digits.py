"""Numbers in words, the same on the page, in alerts and in the log: at most three significant digits."""

from collections.abc import Iterable
from itertools import pairwise

MEGA, GIGA = 1e6, 1e9
MANY = 1000  # from here on no decimals are shown
HUGE = 1e9  # from here on a number has an exponent
SMALL, LARGE = 0.001, 0.999  # beyond these, a percentage with one decimal would be rounded to 0 or to 100
MEASURED_DIGITS = 10  # of a value that a client sent, such as a moment written as 2024031500


def number_text(value: float) -> str:
    """Return a number with at most three significant digits."""
    return _in_digits(value, 3)


def edge_texts(values: Iterable[float]) -> list[str]:
    """Return sorted values with the fewest significant digits, at least three, that tell neighbours apart."""
    found = list(values)
    texts: list[str] = []
    for digits in range(3, MEASURED_DIGITS + 1):
        texts = [_in_digits(value, digits) for value in found]
        if all(low != high for low, high in pairwise(texts)):
            break
    return texts


def measured_text(value: float) -> str:
    """Return a value as a client sent it, with at most ten significant digits: it is data and no statistic."""
    return _in_digits(value, MEASURED_DIGITS)


def count_text(value: float) -> str:
    """Return a count with all its digits: people compare counts, and look rows up by them."""
    return f"{value:,.0f}"


def percent_text(share: float) -> str:
    """Return a share in percent, without the sign: 0.967 is 96.7, and 1 is 100."""
    if 0 < share < SMALL:
        return "<0.1"
    if LARGE < share < 1:
        return ">99.9"
    text = f"{100 * share:.1f}"
    if text in {"0.0", "-0.0"}:
        return "0"
    return f"{100 * share:,.0f}" if abs(share) >= 1 else text


def limit_text(share: float) -> str:
    """Return a limit in percent: somebody has chosen it, so it has no decimals that nobody wrote."""
    return f"{number_text(100 * share)} %"


def percentage_text(share: float) -> str:
    """Return a share in percent, with the sign."""
    return f"{percent_text(share)} %"


def size_text(number: float) -> str:
    """Return a number of bytes in GB, or below one of them in MB."""
    return f"{number_text(number / GIGA)} GB" if number >= GIGA else f"{number_text(number / MEGA)} MB"


def _in_digits(value: float, digits: int) -> str:
    rounded = float(f"{value:.{digits}g}")
    if MANY <= abs(rounded) < HUGE:
        return f"{rounded:,}".removesuffix(".0")
    mantissa, _, exponent = f"{rounded:.{digits}g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa
