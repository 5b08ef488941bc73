"""Run the soak: `make soak`, or `python -m tests.soak.run`. SOAK_SECONDS, SOAK_KILLS and SOAK_SEED change it.

Faults come in the first half of the time. As much time as all of it follows without faults, so that growth can be seen.
"""

import json
import os
import platform
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from common.files import write_atomic
from common.problem import get_problem
from common.settings import PROJECT, Settings
from common.signing.keys import made_key
from common.store import Store
from common.table import table_bytes
from preprocess import preprocess
from scripts.parts import free_port, wait_for
from tests.postgres import postgres_server
from tests.soak.answers import Harm, broken, during
from tests.soak.checks import check
from tests.soak.faults import FAULTS, MISSING
from tests.soak.load import Client
from tests.soak.page import LEAK, MINUTES, PAGE, RESULTS, leaks, markdown
from tests.soak.parts import Part, PostgresPart, recover
from tests.soak.samples import MEMORY, OWN_WARM_UP, WARM_UP_SECONDS, Sampler, memory, slope
from training.search import train

CLIENTS = 3
PARTS = ("api", "worker", "prefect", "mlflow", "monitor", "postgresql")
NOT_ON = {
    *((part, fault) for part in ("worker", "monitor") for fault in ("full disk", "slow disk")),  # both keep only logs
    *(("postgresql", fault) for fault in ("clock forward", "clock back")),  # asked nowhere for the time
}
ONE_OF = 60  # kills, for each time that a part has each of the other faults
FAULTY = 1 / 2  # of the time


def main() -> int:
    """Run it, and write the results and the page; return 1 if anything was lost, doubled, wrong or refused, or grew."""
    seconds = float(os.environ.get("SOAK_SECONDS", "3600"))
    kills, seed = int(os.environ.get("SOAK_KILLS", "200")), int(os.environ.get("SOAK_SEED", "1"))
    result = soak(seconds, kills, seed, lambda line: print(line, flush=True))
    write_atomic(PROJECT / RESULTS, f"{json.dumps(result, indent=1)}\n".encode())
    write_atomic(PROJECT / PAGE, markdown(result).encode())
    print(json.dumps(result["checked"], indent=1))
    print("\n".join(broken(result["faults"])) or "only the api's faults, and PostgreSQL's for messages, cost an answer")
    print("\n".join(leaks(result)) or "nothing grows beyond the limits")
    return int(not is_well(result) or bool(broken(result["faults"])) or bool(leaks(result)))


def is_well(result: dict[str, Any]) -> bool:
    """Return whether nothing was lost, doubled or counted wrongly."""
    lost = ("predictions_lost", "truths_lost", "corrections_lost", "rows_lost")
    wrong = (*lost, "corrections_doubled", "counts_wrong")
    return not any(result["checked"][name] for name in wrong)


def plan(seconds: float, kills: int, seed: int) -> list[tuple[float, str, str]]:
    """Return the moment, the part and the kind of each fault; the parts take turns in a random order."""
    chosen = random.Random(seed)  # noqa: S311  # no secret
    what = [(PARTS[number % len(PARTS)], "kill") for number in range(kills)]
    possible = [fault for fault in FAULTS if fault != "kill" and fault not in MISSING]
    others = [(part, fault) for part in PARTS for fault in possible if (part, fault) not in NOT_ON]
    what += others * (kills // ONE_OF) or chosen.sample(others, min(len(others), max(kills // 3, 1)))
    chosen.shuffle(what)
    moments = sorted(chosen.uniform(0, seconds * FAULTY) for _ in what)
    return [(at, *each) for at, each in zip(moments, what, strict=True)]


@contextmanager
def whole_lab() -> Iterator[tuple[Settings, dict[str, Part]]]:
    """Run a lab with version 1, its store in PostgreSQL; yield its settings and its parts."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-"))).resolve()
        server = stack.enter_context(postgres_server())
        server._run("ALTER SYSTEM SET fsync TO on", "SELECT pg_reload_conf()")
        url = stack.enter_context(server.database())
        names = ("mlflow_port", "prefect_port", "api_port", "monitor_port")
        ports: dict[str, Any] = {name: free_port() for name in names}
        lab = Settings(
            lab_home=home,
            database_url=url,
            suggest_rate="100000/minute",
            disk_limit_percent=100,
            export_seconds=600,  # not each hour: the first export makes MLflow larger, so it belongs to the warm-up
            **ports,
        )
        problem = get_problem("iris")
        write_atomic(lab.data_dir / "data.csv", table_bytes(problem.load(None), problem.target.classes))
        preprocess(problem, lab.data_dir)
        made_key(lab)
        data = Path(str(server._server.pgdata))
        parts: dict[str, Part] = {name: Part(name, lab) for name in PARTS if name != "postgresql"}
        parts["postgresql"] = PostgresPart(server, data, url, f"http://127.0.0.1:{lab.api_port}")
        for name in ("mlflow", "prefect", "worker", "api", "monitor"):
            parts[name].start()
            stack.callback(parts[name].close)
            recover(parts[name])
        train(replace(problem, candidates=lambda: problem.candidates()[-1:]), lab)
        wait_for("a version", lambda: httpx.get(f"http://127.0.0.1:{lab.api_port}/readyz").is_success)
        yield lab, parts


def soak(seconds: float, kills: int, seed: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Return the results of a soak."""
    calm, over = threading.Event(), threading.Event()
    faults: list[Harm] = []
    for fault, program in MISSING.items():
        tell(f"without {program}, no part gets a {fault}: on Debian, `apt-get install strace faketime` brings both")
    with whole_lab() as (lab, parts):
        tell(f"the lab runs; {seconds:.0f} s with {kills} kills, seed {seed}")
        api, monitor = (f"http://127.0.0.1:{port}" for port in (lab.api_port, lab.monitor_port))
        clients = [Client(api, monitor, seed * 100 + number, calm, over) for number in range(CLIENTS)]
        sampler = Sampler(parts, over)
        begun = time.time()
        for thread in (*clients, sampler):
            thread.start()
        try:
            for at, name, fault in plan(seconds, kills, seed):
                time.sleep(max(0.0, begun + at - time.time()))
                faults.append(_fault(parts[name], fault))
                seconds_after = faults[-1].well - faults[-1].over
                tell(f"{time.time() - begun:6.0f} s  {name}: {fault}, well after {seconds_after:.1f} s")
            calm.set()
            sampler.forget()
            time.sleep(seconds)
        finally:
            over.set()
            for thread in (*clients, sampler):
                thread.join()
        _settle(lab, parts)
        lasted = time.time() - begun
        requests = [one for each in clients for one in each.seen.requests]
        for name in ("api", "worker", "monitor"):
            parts[name].close()
        store = Store(lab.database_url)
        try:
            checked = check(store, lab, [each.seen for each in clients], faults)
        finally:
            store.close()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "seconds": round(lasted), "kills": kills, "seed": seed, "clients": CLIENTS,
        "machine": f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
        "memory": MEMORY,
        "not_run": MISSING,
        "checked": checked,
        "faults": [
            {"at": round(each.at - begun, 1), "part": each.part, "fault": each.fault,
             "recovery": round(each.well - each.over, 2), **answers}
            for each, answers in zip(faults, during(faults, requests), strict=True)
        ],
        "growth": {
            name: {
                "memory": memory(found, MINUTES),
                **{each: slope(found, each, OWN_WARM_UP.get(name, WARM_UP_SECONDS)) for each in LEAK},
            }
            for name, found in sampler.samples.items()
        },
    }  # fmt: skip


def _fault(part: Part, fault: str) -> Harm:
    at = time.time()
    FAULTS[fault](part)
    over = time.time()
    recover(part)
    return Harm(part.name, fault, at, over, time.time())


def _settle(lab: Settings, parts: dict[str, Part]) -> None:
    """Wait until all parts answer, the log is written, the spool is empty, and no run writes corrections."""
    for part in parts.values():
        recover(part)

    def at_rest() -> bool:
        text = httpx.get(f"http://127.0.0.1:{lab.api_port}/metrics", timeout=10.0).text
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return float(lines["prediction_log_waiting_rows"]) == float(lines["store_away"]) == 0

    wait_for("the log and the spool", at_rest, within=120, every=0.5)

    def all_written() -> bool:
        store = Store(lab.database_url)
        try:
            return not store.suggestions.without_row(lab.problem, 1) and not store.suggestions.unfinished_rows(
                lab.problem
            )
        finally:
            store.close()

    wait_for("the corrections' rows", all_written, within=900, every=2)


if __name__ == "__main__":
    sys.exit(main())
