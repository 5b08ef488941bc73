"""Faulty solutions: each is a small change of the solution, which the grader has to find and to name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Edit:
    """A text of a file that is replaced by another; without an old text, the file is written anew."""

    file: str
    old: str
    new: str

    def apply(self, project: Path) -> None:
        path = project / self.file
        if self.old:
            text = path.read_text(encoding="utf-8")
            if text.count(self.old) != 1:
                raise ValueError(f"{self.file} has {text.count(self.old)} times, and not once: {self.old}")
            path.write_text(text.replace(self.old, self.new), encoding="utf-8")
        else:
            path.write_text(self.new, encoding="utf-8")


@dataclass(frozen=True)
class Fault:
    """A planted mistake of a task: its edits, and the criteria that fail, each with words that name the mistake."""

    name: str
    task: int
    edits: tuple[Edit, ...]
    finds: dict[str, str]
    main_seconds: float = 120.0
    start_seconds: float = 90.0
    with_model: bool = False  # the project has the trained model as a file


def preprocess(old: str, new: str) -> tuple[Edit, ...]:
    return (Edit("preprocess.py", old, new),)


def training(old: str, new: str) -> tuple[Edit, ...]:
    return (Edit("main.py", old, new),)


def service(old: str, new: str) -> tuple[Edit, ...]:
    return (Edit("api/api.py", old, new),)


def flow(old: str, new: str) -> tuple[Edit, ...]:
    return (Edit("finetune.py", old, new),)


SPLIT = 'train, test = train_test_split(rows, test_size=TEST_SHARE, random_state=SEED, stratify=rows["class"])'
LOG_METRICS = 'mlflow.log_metrics({"val_log_loss": loss, "val_accuracy": model.score(X_val, y_val)})'
LOG_PARAMS = "mlflow.log_params(parameters)"
RUN = "with mlflow.start_run() as run:\n            model = fit"
EXPORT = 'graph = to_onnx(model, X[:1], options={"zipmap": False})'
COUNT = "    predictions.labels(class_name).inc()\n"
CLASSES = 'classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])'
LENGTH = 'Length = Annotated[float, Field(ge=0, le=100, description="centimetres")]'
HANDLER = "@app.exception_handler(RequestValidationError)\n"
APPEND = 'CORRECTIONS.open("a", newline="", encoding="utf-8")'

DATA_FAULTS = (
    Fault(
        "duplicates kept",
        1,
        preprocess(".dropna().drop_duplicates()", ".dropna()"),
        {"rows": "duplicates are kept", "leak": "3 rows of test.csv"},
    ),
    Fault(
        "missing values filled",
        1,
        preprocess("return rows.dropna()", "return rows.fillna({name: 0.0 for name in FEATURES}).dropna()"),
        {"rows": "unusable rows are kept"},
    ),
    Fault(
        "rows lost",
        1,
        preprocess(".drop_duplicates()", ".drop_duplicates(FEATURES[:2])"),
        {"rows": "rows are lost"},
    ),
    Fault(
        "test rows in train",
        1,
        preprocess(SPLIT, f"{SPLIT}\n    train = rows"),
        {"leak": "the split leaks: 26 rows of test.csv"},
    ),
    Fault(
        "split without a seed",
        1,
        preprocess("random_state=SEED, ", ""),
        {"seed": "gave other files"},
    ),
    Fault(
        "not stratified",
        1,
        preprocess(', stratify=rows["class"])', ")"),
        {"strata": "not stratified"},
    ),
    Fault(
        "sorted file cut in two",
        1,
        preprocess(SPLIT, 'rows = rows.sort_values("class")\n    train, test = rows[:-26], rows[-26:]'),
        {"strata": "not stratified"},
    ),
    Fault(
        "a class name missing",
        1,
        preprocess("json.dumps(classes)", "json.dumps(classes[:2])"),
        {"classes": "Iris-sibirica"},
    ),
    Fault(
        "a file not written",
        1,
        preprocess('(("train.csv", train), ("test.csv", test))', '(("train.csv", train),)'),
        {"repro": "test.csv"},
    ),
    Fault(
        "a stage that does not depend on the data",
        1,
        (Edit("dvc.yaml", "      - data/data.csv\n", ""),),
        {"follows": "changed nothing"},
    ),
    Fault(
        "data in git",
        1,
        (Edit("data/.gitignore", "", ""), Edit("data/test.csv", "", "1,2,3,4,0\n")),
        {"versioned": "git has data/data.csv, data/test.csv"},
    ),
)

TRAINING_FAULTS = (
    Fault(
        "a grid that logs nothing",
        2,
        training(RUN, RUN.replace("with mlflow.start_run() as run:", "if True:")[: -len("model = fit")] + "model = fit")
        + training("            mlflow.log_params(parameters)\n", "")
        + training(f"            {LOG_METRICS}\n", "")
        + training("found.append((loss, run.info.run_id, model))", "found.append((loss, None, model))"),
        {"runs": "1 runs without parameters", "metric": "no metric"},
    ),
    Fault(
        "one run for all",
        2,
        training("GRID = [{", "GRID = [][:0] or [{")
        + training(
            "for layers in (1, 2) for epochs in (100, 250, 500)]",
            "for layers in (1, 2) for epochs in (100, 250, 500)][4:5]",
        ),
        {"runs": "1 run(s) with 1 set(s)", "metric": "no metric is in 4 runs"},
    ),
    Fault("no metrics", 2, training(f"            {LOG_METRICS}\n", ""), {"metric": "no metric"}),
    Fault(
        "no parameters", 2, training(LOG_PARAMS, "mlflow.set_tag('note', parameters)"), {"runs": "without parameters"}
    ),
    Fault(
        "the worst registered",
        2,
        training("_, run_id, best = min(found", "_, run_id, best = max(found")
        + training("(100, 250, 500)]", "(5, 250, 500)]"),
        {"winner": "not the winner", "model": ""},
    ),
    Fault(
        "registered without its run",
        2,
        training("with mlflow.start_run(run_id=run_id):", "with mlflow.start_run():"),
        {"winner": "not the winner"},
    ),
    Fault(
        "wrong name in the registry",
        2,
        training('"IrisModel").version', '"Iris").version'),
        {"registered": "but of Iris"},
    ),
    Fault(
        "float64 input",
        2,
        training(EXPORT, 'graph = to_onnx(model, X[:1].astype(np.float64), options={"zipmap": False})'),
        {"input": "tensor(double)"},
    ),
    Fault(
        "class numbers in another order",
        2,
        training("rows[:, 4].astype(np.int64)", "(rows[:, 4].astype(np.int64) + 1) % 3"),
        {"model": "of test.csv is right"},
    ),
    Fault("a traceback", 2, training("    found = []\n", "    found = X.nothing\n"), {"main": "AttributeError"}),
    Fault(
        "prints forever",
        2,
        training("    found = []\n", '    while True:\n        print("epoch")\n'),
        {"main": "prints without end"},
    ),
    Fault(
        "never ends",
        2,
        training("    found = []\n", "    import time\n\n    time.sleep(1000)\n    found = []\n"),
        {"main": "does not end within"},
        main_seconds=8.0,
    ),
    Fault(
        "writes outside of its folder",
        2,
        training(
            '    X, y = read("train.csv")\n    X_fit',
            '    for path in (Path("../model.txt"), Path.home() / "runs.csv"):\n        path.write_text("x")\n'
            '    X, y = read("train.csv")\n    X_fit',
        ),
        {"folder": "../model.txt, ~/runs.csv"},
    ),
    Fault(
        "leaves a process behind",
        2,
        training(
            "    found = []\n",
            '    import subprocess\n\n    subprocess.Popen(["sleep", "1000"], start_new_session=True)\n'
            "    found = []\n",
        ),
        {"ends": "leaves 1 process"},
    ),
)

SERVICE_FAULTS = (
    Fault(
        "names in an order of its own",
        3,
        service(CLASSES, f"{CLASSES}[::-1]"),
        {"predict": "guesses the order of the classes"},
    ),
    Fault(
        "names written down",
        3,
        service(CLASSES, 'classes = ["setosa", "versicolor", "virginica"]'),
        {"predict": "names that are not in data/classes.json"},
    ),
    Fault(
        "answers numbers",
        3,
        service(
            "    return PredictOutput(class_name=class_name)", "    return PredictOutput(class_name=str(labels[0]))"
        ),
        {"predict": "answers numbers"},
    ),
    Fault(
        "always version 1",
        3,
        service(
            "max((int(each.version) for each in found), default=0)",
            "min((int(each.version) for each in found), default=0)",
        ),
        {"newest": "an older version"},
    ),
    Fault(
        "a file in place of the registry",
        3,
        service(
            'session = InferenceSession(Path(path) / "model.onnx")', 'session = InferenceSession(Path("model.onnx"))'
        ),
        {"newest": "an older version"},
        with_model=True,
    ),
    Fault(
        "500 for bad input",
        3,
        service(
            "JSONResponse({\"detail\": [f\"{each['loc'][-1]}: {each['msg']}\" for each in error.errors()]}, 422)",
            "JSONResponse({}, 500)",
        ),
        {"invalid": "status 500", "nan": "status 500"},
    ),
    Fault(
        "NaN accepted",
        3,
        service(LENGTH, 'Length = Annotated[float, Field(description="centimetres")]'),
        {"nan": "NaN is accepted"},
    ),
    Fault(
        "missing fields accepted",
        3,
        service("    petal_width: Length\n", "    petal_width: Length = 1.0\n"),
        {"invalid": "a missing field is accepted"},
    ),
    Fault(
        "never starts",
        3,
        service("settings = Settings()\n", "settings = Settings()\nimport time\n\ntime.sleep(1000)\n"),
        {"start": "does not answer within"},
        start_seconds=8.0,
    ),
    Fault(
        "a module that is not there",
        3,
        service("import httpx\n", "import httpx\nimport pandaz\n"),
        {"start": "No module named 'pandaz'"},
    ),
    Fault(
        "an api without a port",
        3,
        (Edit("docker-compose.yaml", '    ports: ["127.0.0.1:8000:8000"]\n', ""),),
        {"compose": "lacks ports"},
    ),
)

WATCHING_FAULTS = (
    Fault(
        "counts refused requests",
        4,
        service(HANDLER, HANDLER.replace("@", '_last = ["Iris-pumila"]\n\n\n@'))
        + service(
            '"""Say what is wrong, without', 'predictions.labels(_last[0]).inc()\n    """Say what is wrong, without'
        ),
        {"refused": "counts requests with 422"},
    ),
    Fault(
        "a counter without a label",
        4,
        service('answered.", ["class_name"])', 'answered.")')
        + service("predictions.labels(class_name).inc()", "predictions.inc()"),
        {"counts": "no label class_name"},
    ),
    Fault(
        "a counter that never rises",
        4,
        service(COUNT, "    predictions.labels(class_name)\n"),
        {"counts": "never rises"},
    ),
    Fault(
        "numbers in the label",
        4,
        service(COUNT, "    predictions.labels(str(labels[0])).inc()\n"),
        {"counts": "the label class_name is "},
    ),
    Fault(
        "another name",
        4,
        service('Counter("predictions",', 'Counter("answers",'),
        {"metrics": "no predictions_total", "scrape": "has no predictions_total", "dashboard": ""},
    ),
    Fault(
        "another path",
        4,
        service('@app.get("/metrics")', '@app.get("/metric")'),
        {"metrics": "", "scrape": "404", "dashboard": ""},
    ),
    Fault(
        "a scrape that never succeeds",
        4,
        (Edit("prometheus.yml", "  - job_name: api\n", "  - job_name: api\n    metrics_path: /api/metrics\n"),),
        {"scrape": "/api/metrics: server returned HTTP status 404", "dashboard": ""},
    ),
    Fault(
        "a configuration that Prometheus refuses",
        4,
        (Edit("prometheus.yml", "scrape_interval: 5s", "scrape_intervall: 5s"),),
        {"scrape": "scrape_intervall"},
    ),
    Fault(
        "a query of another metric",
        4,
        (Edit("grafana/dashboards/iris.json", "(rate(predictions_total[", "(rate(prediction_total["),),
        {"dashboard": "Predictions per second, by class"},
    ),
)

LEARNING_FAULTS = (
    Fault(
        "needs a restart",
        5,
        service("await asyncio.to_thread(init)\n", "await asyncio.to_thread(init)\n            return\n"),
        {"follow": "needs a restart"},
    ),
    Fault(
        "forgets the weights",
        5,
        flow(
            "candidate = continued(model, ",
            "candidate = MLPClassifier((10,), max_iter=300, random_state=7).fit(*read('train.csv'))\n"
            "    candidate = continued(candidate, ",
        ),
        {"learnt": "forgets"},
    ),
    Fault(
        "a gate that always passes",
        5,
        flow("if after < before:", "if after < 0:"),
        {"gate": "passes a worse candidate"},
    ),
    Fault("corrections lost", 5, service(APPEND, APPEND.replace('"a"', '"w"')), {"kept": "corrections are lost"}),
    Fault(
        "corrections kept twice",
        5,
        service("writer(file).writerow(row)", "writer(file).writerows([row, row])"),
        {"kept": "twice"},
    ),
    Fault(
        "waits for the flow",
        5,
        service("    with lock:\n        with", "    import time\n\n    time.sleep(6)\n    with lock:\n        with"),
        {"suggest": "waits for the flow"},
    ),
    Fault(
        "a deployment that is never served",
        5,
        flow('finetune.serve(name="finetune", limit=1, pause_on_shutdown=False)', "finetune()"),
        {"served": "finetune.py ended with code 1"},
    ),
)

# A list of all takes twice as long as a person wants to wait: `make test` has these, `pytest -m thorough` the others.
ALWAYS = {
    "duplicates kept",
    "test rows in train",
    "not stratified",
    "data in git",
    "a grid that logs nothing",
    "no metrics",
    "no parameters",
    "the worst registered",
    "float64 input",
    "prints forever",
    "names in an order of its own",
    "answers numbers",
    "always version 1",
    "a file in place of the registry",
    "500 for bad input",
    "never starts",
    "counts refused requests",
    "a counter that never rises",
    "a gate that always passes",
}


def planted(*faults: Fault) -> list[Any]:
    """Return parameters of a test for each fault, of which some are marked as thorough."""
    return [
        pytest.param(fault, id=fault.name, marks=() if fault.name in ALWAYS else pytest.mark.thorough)
        for fault in faults
    ]
