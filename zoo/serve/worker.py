"""One model for many threads: a lock around it, a bounded queue before it, warm before it answers, and a way to stop."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from zoo.cores import cores
from zoo.serve.subject import Subject

WARM, READY, STOPPING, FAILED = "warming up", "ready", "stopping", "failed"


class Busy(Exception):
    """No room now; `seconds` says after how long to ask again."""

    def __init__(self, reason: str, seconds: int):
        super().__init__(reason)
        self.seconds = seconds


class Worker:
    """The gate to one subject.

    queue: how many requests may wait beside the one that is answered; the next one is told to come again. It bounds the memory: a picture
           is decoded only in a slot, by as many threads at once as there are cores, and what waits for the model is of the model's size.
    """

    def __init__(self, subject: Subject, queue: int = 8):
        if queue < 0:
            raise ValueError(f"the queue cannot hold {queue} requests; give 0 or more")
        self.subject, self.queue = subject, queue
        self.state = WARM
        self._model, self._count = threading.Lock(), threading.Lock()
        self._decoders = threading.BoundedSemaphore(max(1, cores()))
        self._inside = 0
        self._usual = 0.0

    def warm(self) -> None:
        """Run the model on a grey picture, twice: the first call compiles. Afterwards it is ready; raises what the model raises."""
        batch = self.subject.prepare(np.full((64, 64, 3), 114, np.uint8))
        try:
            self.run(batch)
            self._usual = 0.0
            self.run(batch)
        except BaseException:
            self.state = FAILED
            raise
        if self.state == WARM:
            self.state = READY

    def stop(self) -> None:
        """Let nobody in any more; who is inside is answered."""
        self.state = STOPPING

    @property
    def inside(self) -> int:
        """Requests that are waiting or being answered."""
        return self._inside

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        """A place in the queue. Raises Busy when there is none, before the model is warm, and once it stops."""
        with self._count:
            if self.state != READY:
                raise Busy(f"the server is {self.state}; ask again", 5)
            if self._inside > self.queue:
                reason = f"{self._inside} requests are waiting or being answered, and there is room for {self.queue + 1}; ask again"
                raise Busy(reason, max(1, math.ceil(self._usual * self._inside)))
            self._inside += 1
        try:
            yield
        finally:
            with self._count:
                self._inside -= 1

    def prepare(self, decode: Callable[[], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """(picture, what the model takes); decoding is bounded by the cores."""
        with self._decoders:
            image = decode()
            return image, self.subject.prepare(image)

    def run(self, batch: np.ndarray) -> Any:
        """The outputs of the model, one caller at a time."""
        with self._model:
            start = time.perf_counter()
            outputs = self.subject.run(batch)
            took = time.perf_counter() - start
            self._usual = took if not self._usual else 0.9 * self._usual + 0.1 * took
            return outputs
