"""Fitting a candidate: what comes of it does not depend on threads, on processes, or on the candidates before."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics
from sklearn.linear_model import LogisticRegression, Perceptron
from threadpoolctl import threadpool_info, threadpool_limits

from common.problem import Classifier, Floats, Ints, Table, as_float32
from common.settings import PROJECT
from scripts.demo_copy import copy_project
from tests.programs import run_python
from training.fitting import fit_and_score


@pytest.fixture(scope="module")
def many() -> Table:
    """More rows than BLAS leaves to one thread."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 30))
    return Table(X, (X[:, :5].sum(axis=1) + rng.normal(size=60_000) > 0).astype(np.int64))


def few(table: Table, rows: int = 100) -> Table:
    return Table(table.X[:rows], table.y[:rows])


def fit(X: Floats, y: Ints) -> Classifier:
    model: Classifier = LogisticRegression(max_iter=1000).fit(X, y)
    return model


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_the_metrics_are_those_of_the_validation_rows(many: Table) -> None:
    fitted = fit_and_score(fit, few(many), many)
    rows = as_float32(many.X)
    shares = fitted.model.predict_proba(rows)
    assert fitted.metrics == {
        "val_accuracy": sklearn.metrics.accuracy_score(many.y, fitted.model.predict(rows)),
        "val_log_loss": sklearn.metrics.log_loss(many.y, shares),
    }


def test_a_model_without_probabilities_has_no_log_loss(many: Table) -> None:
    fitted = fit_and_score(lambda X, y: Perceptron(random_state=0).fit(X, y), few(many), many)
    assert set(fitted.metrics) == {"val_accuracy"}


def test_the_threads_that_blas_may_take_make_no_difference(many: Table) -> None:
    found = []
    for threads in (1, 2, 4):
        with threadpool_limits(threads):
            fitted = fit_and_score(fit, many, many)
        found.append((vars(fitted.model)["coef_"].tobytes(), fitted.metrics))
    assert found == [found[0]] * 3


def test_a_fit_has_one_thread_and_others_have_theirs_afterwards(many: Table) -> None:
    seen = []

    def look(X: Floats, y: Ints) -> Classifier:
        seen.append(blas_threads())
        return fit(X, y)

    with threadpool_limits(2):
        fit_and_score(look, few(many), few(many))
        assert (seen, blas_threads()) == ([{1}], {2})


def test_two_threads_of_a_process_never_fit_at_once(many: Table) -> None:
    # The other thread would give BLAS back its threads in the midst of this one's fit.
    together = threading.Barrier(2)

    def meet(X: Floats, y: Ints) -> Classifier:
        with pytest.raises(threading.BrokenBarrierError):
            together.wait(timeout=0.5)
        return fit(X, y)

    with ThreadPoolExecutor(2) as threads:
        ends = [threads.submit(fit_and_score, meet, few(many), few(many)) for _ in range(2)]
        assert [end.result().metrics for end in ends] == [fit_and_score(fit, few(many), few(many)).metrics] * 2


def test_a_fit_that_changes_its_rows_changes_nobody_elses(many: Table) -> None:
    def spoil(X: Floats, y: Ints) -> Classifier:
        model = fit(X, y)
        X[:], y[:] = 0.0, 0
        return model

    rows = Table(few(many).X.copy(), few(many).y.copy())
    fit_and_score(spoil, rows, rows)
    np.testing.assert_array_equal(rows.X, few(many).X)
    np.testing.assert_array_equal(rows.y, few(many).y)


def test_rows_that_may_not_be_changed_can_be_fitted_in_place(many: Table) -> None:
    def in_place(X: Floats, y: Ints) -> Classifier:
        X -= X.mean(axis=0)
        return fit(X, y)

    rows = Table(few(many).X.copy(), few(many).y.copy())
    rows.X.flags.writeable = rows.y.flags.writeable = False
    assert fit_and_score(in_place, rows, rows).metrics["val_accuracy"] > 0.5


# The hash of the project's code


def code_hash_in(folder: Path, *, after: str = "") -> str:
    code = f"import pathlib\nfrom training.cluster import code_hash\nprint(code_hash())\n{after}\nprint(code_hash())"
    first, second = run_python("-B", "-c", code, folder=folder).stdout.split()
    assert first == second
    return first


def test_the_hash_is_that_of_the_code_and_of_nothing_else(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy_project(copy)
    assert code_hash_in(copy) == code_hash_in(PROJECT)
    shutil.rmtree(copy / "docs")
    (copy / "problems" / "notes.txt").touch()
    assert code_hash_in(copy) == code_hash_in(PROJECT)
    with (copy / "common" / "columns.py").open("a") as file:
        file.write("\n")
    assert code_hash_in(copy) != code_hash_in(PROJECT)


def test_a_process_keeps_the_hash_of_the_code_it_has_loaded(tmp_path: Path) -> None:
    copy_project(tmp_path / "copy")
    edit = "pathlib.Path('problems/iris.py').write_text('')"
    assert code_hash_in(tmp_path / "copy", after=edit) == code_hash_in(PROJECT)
