"""Prometheus' programs from Debian's packages, and the rules of the project."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from common.settings import PROJECT

RULE_FILES = [path for path in sorted((PROJECT / "prometheus").glob("*.yml")) if path.name != "alertmanager.yml"]
KEYWORDS = {"and", "or", "unless", "bool", "offset"}


def program(name: str) -> str:
    """Return the path of a program; without it the test fails in CI and is skipped elsewhere."""
    if found := shutil.which(name):
        return found
    message = f"{name} is missing: `apt-get install prometheus prometheus-alertmanager`"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def run(name: str, *arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program(name), *arguments], input=given, capture_output=True, text=True, timeout=60, check=False
    )


def said(ended: subprocess.CompletedProcess[str]) -> str:
    """Return the output of a program, for the message of a failed assertion."""
    return f"{ended.stdout}\n{ended.stderr}"


def rules() -> list[dict[str, Any]]:
    """Return all recording and alerting rules of the rule files."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULE_FILES]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def metrics_in(expr: str) -> set[str]:
    """Return the names of the metrics in a PromQL expression."""
    bare = re.sub(
        r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|on|ignoring|without|group_left|group_right)\s*\([^)]*\)', "", expr
    )
    return set(re.findall(r"\b([a-z_][a-z0-9_]*)\b(?!\s*\()", bare)) - KEYWORDS


def exported(service: httpx.Client) -> set[str]:
    """Return the names of all series that the metrics of a service may have."""
    families = re.findall(r"^# TYPE (\w+) (\w+)$", service.get("/metrics").raise_for_status().text, re.MULTILINE)
    parts = {"histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum", "")}
    return {name + part for name, kind in families for part in parts.get(kind, ("",))}


def ask(address: str, path: str, **parameters: Any) -> Any:
    """Ask Prometheus' API and return the data of its answer; an error of Prometheus fails the assertion."""
    answer = httpx.get(f"{address}/api/v1/{path}", params=parameters).json()
    assert answer["status"] == "success", answer
    return answer["data"]
