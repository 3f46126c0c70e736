"""`python -m benchmarks.serve`: requests per second and latency of `zoo serve` at 1, 4 and 16 clients, with a real photograph.

    python -m benchmarks.serve                                      a classifier and a detector; writes benchmarks/results/serve.md
    python -m benchmarks.serve --models small_cnn_micro --seconds 1 a look; prints only

The server is a process of its own, as a user starts it, and the clients are threads of this one on the same machine, so they take their
share of it. A client keeps its connection, sends the next request when it has the answer, and is told "come again" by no one: the queue is
longer than the clients are many. Random weights; the photograph is one that scikit-image ships, sent as JPEG. Every answer is compared
with the first.
"""

from __future__ import annotations

import argparse
import datetime
import http.client
import io
import os
import platform
import re
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

from zoo.cores import cores

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "serve.md"
MODELS = ("mobilenet_v2", "yolov8_style_n")
CLIENTS = (1, 4, 16)
WAYS = {"JSON": "/predict", "PNG": "/predict?annotated=1"}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS, help=f"rows of the zoo (default {' '.join(MODELS)})")
    parser.add_argument("--clients", nargs="+", type=int, default=CLIENTS)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement, after a tenth that does not count (default 20)")
    parser.add_argument("--out", type=Path, help="where to write the table (default: results/, if all is measured)")
    options = parser.parse_args(arguments)
    photo = _photo()
    rows = [row for model in options.models for row in measure(model, photo, options)]
    text = page(rows, photo, options)
    print(text)
    whole = tuple(options.models) == MODELS and tuple(options.clients) == CLIENTS
    out = options.out or (RESULT if whole else None)
    if out:
        out.write_text(text, encoding="utf-8")
    return 0


def measure(model: str, photo: bytes, options) -> list[dict]:
    """One row for every way and number of clients."""
    command = [sys.executable, "-m", "zoo", "serve", "--model", model, "--port", "0", "--queue", str(2 * max(options.clients))]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        found = re.search(r":(\d+)/", server.stdout.readline())
        if not found:
            raise RuntimeError(f"the server did not start: run {' '.join(command[2:])} by hand")
        port = int(found.group(1))
        while _ask(http.client.HTTPConnection("127.0.0.1", port), "GET", "/health", None)[0] != 200:
            if server.poll() is not None:
                raise RuntimeError("the server ended while it warmed up")
            time.sleep(0.2)
        rows = []
        for way, path in WAYS.items():
            for clients in options.clients:
                rows.append({"model": model, "answer": way, "clients": clients, **load(port, path, photo, clients, options.seconds)})
                print(rows[-1], file=sys.stderr, flush=True)
        return rows
    finally:
        server.terminate()
        server.wait(60)


def load(port: int, path: str, photo: bytes, clients: int, seconds: float) -> dict:
    """Requests per second, and the median and 95th percentile of their milliseconds. Raises RuntimeError when two answers differ."""
    start = time.perf_counter() + 0.1 * seconds
    taken: list[list[float]] = [[] for _ in range(clients)]
    answers: list[set] = [set() for _ in range(clients)]

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while (begin := time.perf_counter()) < start + seconds:
            answers[number].add(_ask(connection, "POST", path, photo))
            if begin > start:
                taken[number].append(time.perf_counter() - begin)
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end = time.perf_counter()
    every = 1000 * np.array([value for part in taken for value in part] or [np.nan])
    different = set().union(*answers)
    if len(different) != 1 or next(iter(different))[0] != 200:
        raise RuntimeError(f"the answers differ, or are errors: {[(status, body[:80]) for status, body in list(different)[:3]]}")
    return {"rate": len(every) / (end - start), "p50": float(np.percentile(every, 50)), "p95": float(np.percentile(every, 95))}


def _ask(connection, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
    connection.request(method, path, body, {"Content-Type": "image/jpeg"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def _photo() -> bytes:
    from PIL import Image

    from zoo.data import backgrounds

    buffer = io.BytesIO()
    Image.open(backgrounds.folder() / "astronaut.png").convert("RGB").save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def page(rows: list[dict], photo: bytes, options) -> str:
    lines = [
        "# Serving: requests per second and latency of `zoo serve`",
        "",
        f"{datetime.date.today().isoformat()}, {platform.platform()}, {os.cpu_count()} CPUs, {cores()} used, Python",
        f"{platform.python_version()}, keras {version('keras')}, waitress {version('waitress')}. One photograph of 512 x 512 pixels",
        f"as JPEG ({len(photo) / 1e3:.0f} kB), decoded for every request; clients on the same machine;",
        f"{options.seconds:g} s each; random weights.",
        "",
        "| model | answer | clients | requests/s | p50, ms | p95, ms |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        numbers = f"{row['rate']:.1f} | {row['p50']:.1f} | {row['p95']:.1f}"
        lines.append(f"| {row['model']} | {row['answer']} | {row['clients']} | {numbers} |")
    lines += [
        "",
        "One model answers one request at a time: more clients mean more waiting, not more speed, once decoding overlaps with it.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
