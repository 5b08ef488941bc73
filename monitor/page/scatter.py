"""A small scatter plot for the review: training rows by class, as paths of an SVG, and the place of a correction."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.page.panels import ScatterMap

WIDTH, HEIGHT, MARGIN = 260, 170, 9
# The mark of a point by its class: a dot, a square, a plus, a cross; the style sheet draws the ends of the lines.
MARKS = (("dot", "h0"), ("square", "h0"), ("plus", "m-2.5 0h5m-2.5-2.5v5"), ("cross", "m-2-2l4 4m-4 0l4-4"))
COLOURS = 7  # series in the style sheet


@dataclass(frozen=True)
class Cloud:
    """The points of a class: their mark and the number of their colour, both in the style sheet, and their path."""

    class_name: str
    mark: str
    colour: int
    path: str
    legend: str


@dataclass(frozen=True)
class Spot:
    """The place of a correction in the picture, in units of the picture; `inside` if it lies on the map."""

    x: float
    y: float
    inside: bool


class Scatter:
    """The picture of a map."""

    width, height = WIDTH, HEIGHT

    def __init__(self, content: ScatterMap) -> None:
        """Fit the map into the picture."""
        self.axes = content.axes
        self.classes = content.classes
        self._points = content.points
        across, up = ([point[axis] for point in content.points] for axis in (0, 1))
        self._bounds = _ends(across), _ends(up)

    def clouds(self) -> list[Cloud]:
        """Return the points of each class."""
        return [self._cloud(index, name) for index, name in enumerate(self.classes)]

    def spot(self, place: tuple[float, float]) -> Spot:
        """Return where a correction is drawn: at the edge if it lies outside of the map."""
        x, y = self._at(place)
        left, right, top, bottom = MARGIN, WIDTH - MARGIN, MARGIN, HEIGHT - MARGIN
        drawn = min(max(x, left), right), min(max(y, top), bottom)
        return Spot(*drawn, inside=abs(drawn[0] - x) + abs(drawn[1] - y) < 1)

    def described(self, place: tuple[float, float]) -> str:
        """Return the picture in words."""
        groups = [f"{name} around ({x:.3g}, {y:.3g})" for name, (x, y) in self._centres()]
        where = "" if self.spot(place).inside else ", beyond the edge of the picture"
        return (
            f"Scatter plot of {self.axes[0]} (across) and {self.axes[1]} (up) with {len(self._points)} training rows: "
            f"{', '.join(groups)}. This correction lies at ({place[0]:.3g}, {place[1]:.3g}){where}."
        )

    def _centres(self) -> list[tuple[str, tuple[float, float]]]:
        found = []
        for index, name in enumerate(self.classes):
            if own := [point for point in self._points if point[2] == index]:
                found.append((name, (_mean([each[0] for each in own]), _mean([each[1] for each in own]))))
        return found

    def _cloud(self, index: int, name: str) -> Cloud:
        mark, line = MARKS[index % len(MARKS)]
        places = (self._at(point[:2]) for point in self._points if point[2] == index)
        path = "".join(f"M{x:.1f} {y:.1f}{line}" for x, y in places)
        return Cloud(name, mark, index % COLOURS + 1, path, f"M6 6{line}")

    def _at(self, place: tuple[float, float]) -> tuple[float, float]:
        (left, right), (low, high) = self._bounds
        x = MARGIN + (place[0] - left) / (right - left) * (WIDTH - 2 * MARGIN)
        return x, HEIGHT - MARGIN - (place[1] - low) / (high - low) * (HEIGHT - 2 * MARGIN)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    return (low, high) if high > low else (low - 1, low + 1)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
