"""Contenders that live in processes of their own and answer in turns, so that a drifting machine hits all of them."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def start(module: str, *arguments: str, backend: str = "tensorflow") -> subprocess.Popen:
    """`python -m module arguments`, which answers each line of its input with one line of JSON."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": backend}
    command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )


def ask(worker: subprocess.Popen, question: str = "") -> dict:
    """The answer to one line."""
    worker.stdin.write(f"{question}\n")
    worker.stdin.flush()
    for line in worker.stdout:
        if line.startswith("{"):
            return json.loads(line)
    raise RuntimeError(f"{' '.join(worker.args[4:])} ended without an answer; run it by hand to see why")


def end(workers) -> None:
    """Close their inputs, which ends them."""
    for worker in workers:
        worker.stdin.close()
        worker.wait()


def answer(**values) -> None:
    """Of a worker: one line of JSON."""
    print(json.dumps(values), flush=True)


def write(name: str, text: str, measured: dict) -> None:
    """benchmarks/results/NAME.md and .json, with the day and the machine in both."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    (RESULTS / f"{name}.json").write_text(json.dumps({"date": today(), **measured}, indent=2) + "\n", encoding="utf-8")


def today() -> str:
    return datetime.date.today().isoformat()
