"""What the server has done, in the text format that Prometheus reads (https://prometheus.io/docs/instrumenting/exposition_formats)."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds of the histogram, both as Prometheus' own clients have them."""
TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """How many values were at most each of `BOUNDS`, how many there were, and their sum."""

    def __init__(self) -> None:
        self.counts, self.sum = [0] * (len(BOUNDS) + 1), 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(BOUNDS, value)] += 1
        self.sum += value

    def lines(self, name: str, labels: str = "") -> list[str]:
        found, total = [], 0
        for bound, count in zip((*BOUNDS, "+Inf"), self.counts, strict=True):
            total += count
            found.append(f'{name}_bucket{{{labels}le="{bound}"}} {total}')
        inner = f"{{{labels.rstrip(',')}}}" if labels else ""
        return [*found, f"{name}_sum{inner} {self.sum:.6f}", f"{name}_count{inner} {total}"]


class Meters:
    """Counters for one application; any number of threads. Labels come from the application's own routes, never from a request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: dict[str, Histogram] = {}

    def count(self, path: str, status: int, seconds: float) -> None:
        """One answered request."""
        with self._lock:
            self._requests[path, status] += 1
            self._seconds.setdefault(path, Histogram()).add(seconds)

    def text(self, inside: int, queue: int, ready: bool) -> str:
        """Everything, with the state of the queue now."""
        with self._lock:
            errors: Counter[int] = Counter()
            for (_, status), number in self._requests.items():
                errors[status] += number * (status >= 400)
            counted = sorted(self._requests.items())
            lines = [
                *_head("zoo_requests_total", "counter", "Requests answered."),
                *(f'zoo_requests_total{{path="{path}",status="{status}"}} {number}' for (path, status), number in counted),
                *_head("zoo_errors_total", "counter", "Requests answered with an error."),
                *(f'zoo_errors_total{{status="{status}"}} {number}' for status, number in sorted(errors.items()) if number),
                *_head("zoo_request_seconds", "histogram", "Seconds from the whole request to the answer."),
            ]
            for path, histogram in sorted(self._seconds.items()):
                lines += histogram.lines("zoo_request_seconds", f'path="{path}",')
        lines += [*_head("zoo_inside", "gauge", "Requests waiting or being answered."), f"zoo_inside {inside}"]
        lines += [*_head("zoo_queue_limit", "gauge", "Requests that may wait beside the one being answered."), f"zoo_queue_limit {queue}"]
        lines += [*_head("zoo_ready", "gauge", "1 when the model is warm and answers."), f"zoo_ready {int(ready)}"]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
