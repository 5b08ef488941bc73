"""Writes the file of a problem, its data, and its line in params.yaml."""

import json
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from shutil import rmtree
from types import ModuleType

from common.files import write_atomic
from common.problem import ProblemError
from common.settings import PROJECT
from preprocess import preprocess
from scripts.new_problem.looking import Look, NameColumn, NumberColumn

WIDTH = 120
SPLIT = "(\n"
NAME = re.compile(r"[a-z][a-z0-9_]*")

HEAD = '''"""{title}: {rows} rows, {features}, {classes}.

`python -m scripts.new_problem` has written this file from a CSV file. Units and limits are guesses: correct them.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from common.problem import Candidate, {imports}
from common.table import DataError, read_table

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

'''
NUMBERS = """# Columns of numbers: name, unit, smallest and largest plausible value, an example. The api refuses values
# beyond these limits, which are about twice the largest value in the file.
NUMBERS = (
{lines}
)
"""
NAMES = """# The columns of names, with the names in them. The api answers other names, too, and counts them.
NAMES = {{
{lines}
}}{skip}
"""
LOAD = '''

def load(source: Path | None) -> Table:
    """Return the rows of a CSV file."""
    if source is None:
        raise DataError("{name}: put your CSV file at data/{name}/data.csv")
    return read_table(source, PROBLEM, indices=False)


def candidates() -> list[Candidate]:
    """Return the models that compete: logistic regressions with different regularisation."""
    return [_regression(strength) for strength in (0.01, 0.1, 1.0, 10.0)]


def _regression(strength: float) -> Candidate:
    def fit(X: Rows, y: Ints) -> "Pipeline":
        # Imported here: the api reads this file, too, and does without scikit-learn.
{imports}

        return make_pipeline({step}, LogisticRegression(C=strength, max_iter=1000)).fit(X, y)

    return Candidate({{"strength": strength}}, fit)

'''
SCALER_IMPORTS = """        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler"""
COLUMNS_IMPORTS = """        from sklearn.compose import make_column_transformer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import {steps}

        known = OneHotEncoder(categories=[list(each) for each in NAMES.values()], handle_unknown="ignore")
        columns = make_column_transformer(
            {parts},
        )"""
NUMBER = "Number(each[0], each[1], each[0].replace('_', ' '), *each[2:]) for each in NUMBERS".replace("'", '"')
CATEGORY = "Category(name, name.replace('_', ' '), names, names[0]) for name, names in NAMES.items()".replace("'", '"')
PROBLEM = """
PROBLEM = Problem(
    name="{name}",
    features={features},
    target=Target({target}, CLASSES),
    load=load,
    candidates=candidates,
)
"""


def name_of(path: Path) -> str:
    """Return the name of a problem for a file: small letters, digits and underscores."""
    return re.sub(r"\W+|_+", "_", path.stem.lower()).strip("_")


def check_name(name: str, folder: Path = PROJECT) -> None:
    """See that the project can have a problem of a name.

    Raises:
        ProblemError: the name has other characters; or there is such a problem, or its data, or a problem whose models
            would have the same names.
    """
    if not NAME.fullmatch(name):
        raise ProblemError(f"{name!r} is no name of a problem: small letters, digits and _, such as --name wine")
    same = [each for each in (folder / "problems").glob("*.py") if each.stem.replace("_", "") == name.replace("_", "")]
    for path in (*same, folder / "data" / name):
        if path.exists():
            raise ProblemError(f"there is {path} already: choose another name with --name")


def text_of(name: str, found: Look) -> str:
    """Return the file of a problem."""
    classes = _tuple(found.classes)
    types = ["Category"] if found.names else []
    types += ["Ints", *(["Number"] if found.numbers else []), "Problem", "Rows", "Table", "Target"]
    count = len(found.numbers) + len(found.names)
    parts = [
        HEAD.format(
            title=name.replace("_", " ").capitalize(),
            rows=len(found.rows),
            features="1 feature" if count == 1 else f"{count} features",
            classes=f"{len(found.classes)} classes",
            imports=", ".join(types),
        )
    ]
    if found.numbers:
        parts.append(NUMBERS.format(lines="\n".join(_number(each, found) for each in found.numbers)))
    if found.names:
        lines = [_names(each, found) for each in found.names]
        # Many names stand better on filled lines than each on a line of its own.
        skip = "  # fmt: skip" if any(SPLIT in each for each in lines) else ""
        parts.append(NAMES.format(lines="\n".join(lines), skip=skip))
    if found.left_out:
        parts.append("# Columns that are left out, and why:\n")
        parts.extend(_comment(f"- {column}: {reason}") for column, reason in found.left_out.items())
    parts.append(f"CLASSES = {classes}{'  # fmt: skip' if SPLIT in classes else ''}\n")
    parts.append(LOAD.format(name=name, **_steps(found)))
    parts.append(PROBLEM.format(name=name, features=_features(found), target=_quoted(found.target)))
    return "".join(parts)


def check(name: str, text: str, found: Look, folder: Path) -> None:
    """Read the rows with the problem of a text, and split them below an empty folder as `dvc repro` will do it.

    Raises:
        DataError: the rows cannot be split.
        ProblemError: the problem is faulty.
    """
    module = ModuleType(f"problems.{name}")
    exec(compile(text, f"problems/{name}.py", "exec"), module.__dict__)  # noqa: S102  # the text is our own
    (folder / "data.csv").write_bytes(csv_of(found))
    preprocess(module.__dict__["PROBLEM"], folder)


def put(name: str, text: str, found: Look, folder: Path = PROJECT) -> None:
    """Write the data, the problem, and its line in params.yaml. A failure leaves none of them."""
    data, file, params = folder / "data" / name, folder / "problems" / f"{name}.py", folder / "params.yaml"
    listed = params.read_text(encoding="utf-8").rstrip("\n")
    data.mkdir(parents=True)
    try:
        write_atomic(data / "data.csv", csv_of(found))
        write_atomic(file, text.encode())
        write_atomic(params, f"{listed}\n  - {name}\n".encode())
    except BaseException:
        rmtree(data)
        if file.is_file():
            file.unlink()
        raise


def csv_of(found: Look) -> bytes:
    """Return the usable rows as CSV with a header."""
    return str(found.rows.to_csv(index=False, lineterminator="\n")).encode()


def _number(column: NumberColumn, found: Look) -> str:
    limits = f"{column.minimum!r}, {column.maximum!r}, {column.example!r}"
    return _suspicion(column.name, found) + f"    ({_quoted(column.name)}, {_quoted(column.unit)}, {limits}),"


def _names(column: NameColumn, found: Look) -> str:
    return _suspicion(column.name, found) + f"    {_quoted(column.name)}: {_tuple(column.names, 4)},"


def _suspicion(name: str, found: Look) -> str:
    if name not in found.suspects:
        return ""
    return "    # It gives the class alone: is it known before the class is? Otherwise delete the line.\n"


def _tuple(words: Iterable[str], indent: int = 0) -> str:
    """Return the source of a tuple of texts, on one line or on lines that are filled."""
    quoted = [_quoted(each) for each in words]
    if (line := f"({', '.join(quoted)})") and len(line) < WIDTH - 40:
        return line
    space = " " * (indent + 4)
    # A blank in a text must not become the end of a line.
    filled = textwrap.fill(
        ", ".join(each.replace(" ", "\0") for each in quoted), WIDTH - 1, initial_indent=space, subsequent_indent=space,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return f"{SPLIT}{filled},\n{' ' * indent})".replace("\0", " ")


def _quoted(text: str) -> str:
    return repr(text) if '"' in text and "'" not in text else json.dumps(text, ensure_ascii=False)


def _comment(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="# ", subsequent_indent="#   ") + "\n"


def _steps(found: Look) -> dict[str, str]:
    """Return the source of the steps before the regression, and of their imports."""
    if not found.names:
        return {"imports": SCALER_IMPORTS, "step": "StandardScaler()"}
    parts = ["(StandardScaler(), list(range(len(NUMBERS))))"] if found.numbers else []
    parts.append(
        "(known, list(range(len(NUMBERS), len(PROBLEM.features))))"
        if found.numbers
        else "(known, list(range(len(NAMES))))"
    )
    steps = "OneHotEncoder, StandardScaler" if found.numbers else "OneHotEncoder"
    return {"imports": COLUMNS_IMPORTS.format(steps=steps, parts=",\n            ".join(parts)), "step": "columns"}


def _features(found: Look) -> str:
    made = [text for text, columns in ((NUMBER, found.numbers), (CATEGORY, found.names)) if columns]
    if len(made) == 1:
        return f"tuple({made[0]})"
    return "(\n" + "".join(f"        *({each}),\n" for each in made) + "    )"
