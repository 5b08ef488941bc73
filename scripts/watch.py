"""Prometheus on the stack that `make up` runs: `make watch`.

It uses the project's `prometheus.yml`, with the addresses of that stack.
"""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from common.files import write_atomic
from common.settings import PROJECT, Settings, SettingsError, load_settings
from scripts import apis
from scripts.log_files import LOG_BYTES, begin_anew
from scripts.parts import process, wait_for
from scripts.ports import HOST, Listener, PortInUseError
from scripts.stack import answers, log_end, log_path, process_environment

PROGRAM = "prometheus"
INSTALL = "install Prometheus (Debian, Ubuntu: `apt-get install prometheus`; macOS: `brew install prometheus`)"
READY_WITHIN = 60.0
# Keys by which a job finds its targets in containers, and logs in; here the targets are given, and have no log-in.
IN_CONTAINERS = ("static_configs", "dns_sd_configs", "relabel_configs", "basic_auth")

Config = dict[str, Any]


class WatchError(RuntimeError):
    """Prometheus cannot be started, or has ended."""


def address(settings: Settings) -> str:
    """Return the address of Prometheus."""
    return f"http://{HOST}:{settings.prometheus_port}"


def config_for(settings: Settings) -> Config:
    """Return the project's configuration for the embedded stack; its alerts are shown and sent to nobody."""
    config: Config = yaml.safe_load((PROJECT / "prometheus.yml").read_text(encoding="utf-8"))
    del config["alerting"]
    config["rule_files"] = [str(PROJECT / name) for name in config["rule_files"]]
    config["scrape_configs"] = [_with_target(job, settings) for job in config["scrape_configs"]]
    return config


def write_config(config: Config, settings: Settings) -> Path:
    """Write the file that `prometheus` reads; return its path."""
    path = _folder(settings) / "prometheus.yml"
    write_atomic(path, yaml.safe_dump(config, sort_keys=False).encode())
    return path


@contextmanager
def prometheus(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run Prometheus with the written configuration; yield its process when it answers.

    Raises:
        WatchError: it is not installed, or does not start; the message says what to do, or has the end of its log.
    """
    if shutil.which(PROGRAM) is None:
        raise WatchError(INSTALL)
    folder = _folder(settings)
    command = [
        PROGRAM,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{settings.prometheus_port}",
    ]
    begin_anew(log_path(settings, PROGRAM), LOG_BYTES)
    with process(command, log_path(settings, PROGRAM), process_environment(settings)) as started:

        def ready() -> bool:
            _check_alive(started, settings)
            return answers(f"{address(settings)}/-/ready")

        wait_for("Prometheus", ready, READY_WITHIN)
        yield started


def _with_target(job: Config, settings: Settings) -> Config:
    kept = {name: value for name, value in job.items() if name not in IN_CONTAINERS}
    # The api's own series do not name their problem; in containers, relabelling adds this label.
    name = job["job_name"]
    labels = {"problem": settings.problem} if name == "api" else {}
    # A job has the name of its part, whose port has a setting of its own.
    target = {"targets": [f"{HOST}:{getattr(settings, f'{name}_port')}"], "labels": labels}
    if name != "api":
        return {**kept, "static_configs": [target]}
    # Each api of `make up` writes a file with its address; an api that a person has started writes none.
    files = apis.folder(settings) / "*.json"
    by_hand = "api_port" in settings.model_fields_set or not any(files.parent.glob(files.name))
    return {**kept, "static_configs": [target] * by_hand, "file_sd_configs": [{"files": [str(files)]}]}


def _folder(settings: Settings) -> Path:
    return settings.state_dir / PROGRAM


def _check_alive(started: subprocess.Popen[bytes], settings: Settings) -> None:
    if started.poll() is not None:
        end = log_end(log_path(settings, PROGRAM))
        raise WatchError(f"Prometheus ended with code {started.returncode}. {end}")


def run(settings: Settings) -> None:
    """Run Prometheus until it ends or a signal comes.

    Raises:
        WatchError: it cannot be started, or ends.
        PortInUseError: another program listens on its port.
    """
    Listener("Prometheus", settings.prometheus_port, "PROMETHEUS_PORT").check_free()
    write_config(config_for(settings), settings)
    # Prometheus does not notice a folder that is made after its start.
    apis.folder(settings).mkdir(parents=True, exist_ok=True)
    with prometheus(settings) as started:
        where = address(settings)
        print(f"Prometheus {where}/graph\n  targets {where}/targets\n  alerts  {where}/alerts")
        print("Ctrl-C stops it; its data stay in .lab/prometheus.", flush=True)
        started.wait()
        _check_alive(started, settings)


def main() -> None:
    """Run Prometheus on the embedded stack."""
    # SIGTERM becomes an exception, so that Prometheus is stopped, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        run(load_settings())
    except KeyboardInterrupt:
        print("stopped")
    except (WatchError, SettingsError, TimeoutError, PortInUseError) as error:
        sys.exit(f"watch: {error}")


if __name__ == "__main__":
    main()
