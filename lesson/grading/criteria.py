"""The criteria of the lesson's tasks: each is one row of the table that a student reads."""

from dataclasses import dataclass

from lesson.grading.limits import RIGHT, RUNS

HOUSE, DATA, TRAINING, SERVICE, WATCHING, LEARNING = range(6)
TASKS = {
    HOUSE: "all tasks",
    DATA: "1 data",
    TRAINING: "2 training",
    SERVICE: "3 service",
    WATCHING: "4 metrics",
    LEARNING: "5 corrections (optional)",
}


@dataclass(frozen=True)
class Criterion:
    """One thing that the grader looks for, its points, and the behaviour that gets them."""

    key: str
    task: int
    points: int
    title: str
    expected: str


CRITERIA = (
    Criterion("repro", DATA, 3, "dvc repro", "`dvc repro` writes data/train.csv, data/test.csv and data/classes.json"),
    Criterion("rows", DATA, 4, "rows", "train and test have each usable row of data.csv once, and no other row"),
    Criterion("leak", DATA, 3, "no leak", "no row of test.csv is in train.csv"),
    Criterion("strata", DATA, 2, "stratified", "each class has the same share in test.csv as in all rows"),
    Criterion("seed", DATA, 2, "repeatable", "the same data.csv gives the same files again"),
    Criterion("classes", DATA, 2, "class names", "classes.json is a list with each class name once"),
    Criterion("follows", DATA, 2, "follows the data", "after a change of data.csv, `dvc repro` splits anew"),
    Criterion("versioned", DATA, 2, "under DVC", "DVC knows the files in data/, and git has none of them"),
    Criterion("main", TRAINING, 4, "python main.py", "the program ends by itself, with code 0"),
    Criterion("runs", TRAINING, 5, "runs", f"MLflow has at least {RUNS} runs with different parameters"),
    Criterion("metric", TRAINING, 4, "metric", "each of these runs has the same validation metric"),
    Criterion("registered", TRAINING, 3, "registered", "the registry has a version of IrisModel"),
    Criterion("winner", TRAINING, 4, "winner", "the newest version comes from the run with the best metric"),
    Criterion("input", TRAINING, 3, "ONNX input", "one input, float32 [n, 4], for one row and for many"),
    Criterion("model", TRAINING, 2, "model", f"at least {RIGHT * 100:.0f} % of test.csv is right"),
    Criterion("start", SERVICE, 4, "start", "`uvicorn api.api:app` answers on its port"),
    Criterion("predict", SERVICE, 5, "class name", 'POST /predict answers {"class_name": …} with the right name'),
    Criterion("newest", SERVICE, 5, "newest version", "the newest version of IrisModel in the registry answers"),
    Criterion("invalid", SERVICE, 4, "bad input", "a missing field and a text get 422"),
    Criterion("nan", SERVICE, 3, "NaN", "NaN and infinity get 422"),
    Criterion("compose", SERVICE, 2, "compose file", "Dockerfile is there; docker-compose.yaml is valid, with an api"),
    Criterion("image", SERVICE, 2, "image", "`docker build` makes an image"),
    Criterion("metrics", WATCHING, 4, "/metrics", "GET /metrics has the counter predictions_total"),
    Criterion("counts", WATCHING, 6, "counter", 'predictions_total{class_name="…"} rises by one for each answer'),
    Criterion("refused", WATCHING, 4, "refused requests", "a request that gets 422 is not counted"),
    Criterion("scrape", WATCHING, 6, "Prometheus", "with prometheus.yml, the api is up and its counter is there"),
    Criterion("dashboard", WATCHING, 5, "dashboard", "each query of grafana/*.json returns a series"),
    Criterion("follow", LEARNING, 4, "follows", "the running api serves a newly registered version within seconds"),
    Criterion("suggest", LEARNING, 3, "POST /suggest", "a correction gets 202 at once; a missing field gets 422"),
    Criterion("served", LEARNING, 2, "deployment", "`python finetune.py` serves a deployment in Prefect"),
    Criterion("kept", LEARNING, 4, "corrections", "data/finetune.csv has each correction once"),
    Criterion("learnt", LEARNING, 4, "fine-tuning", "five corrections make one new version, which keeps its knowledge"),
    Criterion("gate", LEARNING, 3, "gate", "a candidate that is worse on test.csv is not registered"),
    Criterion("folder", HOUSE, 3, "own folder", "the programs write only inside of the project's folder"),
    Criterion("ends", HOUSE, 2, "ends", "the programs end when told, and leave no process behind"),
)
BY_KEY = {criterion.key: criterion for criterion in CRITERIA}
