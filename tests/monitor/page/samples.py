"""Tabs of the tests' own: every way to draw, with numbers that a test may change while the page is served."""

import math
from dataclasses import dataclass, field
from datetime import timedelta

from common.store import StoreError
from monitor.page.panels import Cell, Column, Drawing, Panel, PanelText, Rows, Tab
from monitor.page.view import Selection, View

CLASSES = ("Iris-setosa", "Iris-versicolor", "Iris-virginica")
ALWAYS = "Send predictions to the api: the page shows them within seconds."


def column(name: str, kind: str = "text") -> Column:
    return Column(name=name, label=name.replace("_", " ").capitalize(), kind=kind)


def columns(**kinds: str) -> list[Column]:
    return [column(name, kind) for name, kind in kinds.items()]


def with_ends(name: str, kind: str = "ratio") -> list[Column]:
    low, high = f"{name}_low", f"{name}_high"
    value = column(name, kind).model_copy(update={"low": low, "high": high})
    return [value, column(low, kind), column(high, kind)]


def interval(value: float, width: float = 0.03) -> list[Cell]:
    return [round(each, 4) for each in (value, max(value - width, 0), min(value + width / 2, 1))]


def panel(drawing: Drawing, name: str, title: str, columns: list[Column], rows: Rows) -> Panel:
    return PanelText(name, title, ALWAYS, f"This is {title}.", drawing).panel(columns, rows)


@dataclass
class Shown:
    """The content of the tabs; `fails` makes them fail like a store that is down, `filled` fills the empty tab."""

    accuracy: float = 0.967
    predictions: int = 1204
    fails: bool = False
    filled: bool = False
    asked: list[Selection] = field(default_factory=list)

    def ask(self, view: View) -> Selection:
        self.asked.append(view.selection)
        if self.fails:
            raise StoreError("the database is away")
        return view.selection

    def charts(self, view: View) -> list[Panel]:
        selection = self.ask(view)
        return [
            self.ratios(),
            self.counts(),
            self.line(selection),
            self.bars(),
            stacked(selection),
            windows(),
            pie(),
            matrix(),
            empty(),
        ]

    def tables(self, view: View) -> list[Panel]:
        selection = self.ask(view)
        return [
            panel(
                "table",
                "rows",
                "Latest predictions",
                columns(
                    id="text",
                    predicted_at="moment",
                    class_name="text",
                    confidence="ratio",
                    score="number",
                    run="link",
                    remark="text",
                ),
                [table_row(index, selection.id) for index in range(40)],
            )
        ]

    def nothing(self, view: View) -> list[Panel]:
        self.ask(view)
        return [matrix(), self.bars()] if self.filled else [empty(), self.bars()]

    def ratios(self) -> Panel:
        return panel(
            "figures",
            "figures",
            "How well it does",
            [column("figure"), *with_ends("value"), column("text")],
            [
                ["Accuracy", *interval(self.accuracy), "of 412 labelled"],
                ["Precision", *interval(0.9512), ""],
                ["Recall", *interval(0.943), ""],
                ["F1", *interval(0.9471), ""],
            ],
        )

    def counts(self) -> Panel:
        return panel(
            "figures",
            "volumes",
            "How much",
            [column("figure"), *with_ends("value", "integer"), column("text")],
            [
                ["Predictions", self.predictions, None, None, "in 30 days"],
                ["Validated samples", 412, None, None, "34.2 % of them"],
                ["Outliers", 17, None, None, "1.4 %"],
                ["Open alerts", 0, None, None, ""],
            ],
        )

    def line(self, selection: Selection) -> Panel:
        days = (selection.until - selection.since).days + 1
        rows: list[list[Cell]] = []
        for day in range(days):
            champion, challenger = 0.93 + 0.02 * math.sin(day / 3), 0.95 + 0.015 * math.cos(day / 4)
            known = day != 5
            rows.append(
                [
                    str(selection.since + timedelta(days=day)),
                    *(interval(champion) if known else [None] * 3),
                    *(interval(challenger) if day > 11 else [None] * 3),
                ]
            )
        rows[-1][1] = self.accuracy
        return panel(
            "line",
            "accuracy",
            "Accuracy by day",
            [column("day", "day"), *with_ends("champion"), *with_ends("challenger")],
            rows,
        )

    def bars(self) -> Panel:
        values = [(0.99, 0.98), (0.93, self.accuracy), (0.94, 0.9)]
        return panel(
            "bars",
            "classes",
            "Precision and recall by class",
            [column("class"), *with_ends("precision"), *with_ends("recall")],
            [[name, *interval(a), *interval(b)] for name, (a, b) in zip(CLASSES, values, strict=True)],
        )


def stacked(selection: Selection) -> Panel:
    days = (selection.until - selection.since).days + 1
    return panel(
        "stacked",
        "volume-by-day",
        "Predictions by day and class",
        [column("day", "day"), *(column(name, "integer") for name in CLASSES)],
        [[str(selection.since + timedelta(days=day)), 14 + day % 7, 11 + day % 5, 9 + day % 3] for day in range(days)],
    )


def windows() -> Panel:
    return panel(
        "line",
        "windows",
        "Population stability index by window",
        columns(to="moment", sepal_length="number", sepal_width="number"),
        [[f"2026-11-22T06:{minute:02d}:30.123456+00:00", 0.1 + minute / 500, 0.3] for minute in range(60)],
    )


def pie() -> Panel:
    return panel(
        "pie",
        "shares",
        "Samples by class",
        [column("class"), column("predicted", "integer"), column("validated", "integer")],
        [[name, *counts] for name, counts in zip(CLASSES, ((410, 150), (402, 131), (392, 131)), strict=True)],
    )


def matrix() -> Panel:
    return panel(
        "matrix",
        "confusion",
        "Confusion matrix",
        [column("true_class"), *(Column(name=name, label=name, kind="integer") for name in CLASSES)],
        [[CLASSES[0], 150, 0, 0], [CLASSES[1], 0, 122, 9], [CLASSES[2], 0, 5, 126]],
    )


def empty() -> Panel:
    return panel("line", "nothing", "Nothing yet", [column("day", "day")], [])


def table_row(index: int, wanted: str) -> list[Cell]:
    name = f"{wanted or '0193'}-{index:04d}-7cc1-8e5a"
    run = f"run {index}|http://127.0.0.1:5000/#/runs/{index}"
    moment = f"2026-11-22T06:{index:02d}:00+00:00"
    remark = "=1+1" if index == 0 else None
    return [name, moment, CLASSES[index % 3], 0.7 + index / 200, -0.25 + index / 50, run, remark]


def tabs_of(shown: Shown) -> list[Tab]:
    return [
        Tab("overview", "Overview", shown.charts),
        Tab("metrics", "Metrics", shown.charts),
        Tab("classes", "Metrics by class", shown.charts),
        Tab("training", "Training data", shown.charts),
        Tab("comparison", "Champion and challenger", shown.charts),
        Tab("empty", "Empty", shown.nothing),
        Tab("predictions", "Predictions", shown.tables, searchable=True),
    ]
