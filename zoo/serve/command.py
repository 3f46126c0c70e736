"""`zoo serve`: one process that answers over HTTP until it is told to stop, and then finishes what it has begun.

The server is waitress: it takes a whole request in before a thread sees it, so that a slow sender holds no thread, and its pool has room
for every request of the queue and four more, so that /health answers while the model is busy.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time

PATIENCE = 30.0
"""Seconds that requests in hand may take after the signal."""
SPARE = 4


def run(options) -> int:
    """Load, listen, warm up, answer; 0 after SIGTERM or Ctrl+C, 1 when the model cannot run."""
    _needed()
    if options.queue < 0:
        raise ValueError(f"--queue must be at least 0, got {options.queue}")
    from zoo.serve.application import HERE, application
    from zoo.serve.open import opened

    subject = opened(options)
    listener = _listen(options.host, options.port)
    here = options.host in ("127.0.0.1", "localhost", "::1")
    app = application(subject, queue=options.queue, hosts=HERE if here else None)
    port = listener.getsockname()[1]
    shown = f"[{options.host}]" if ":" in options.host else options.host
    print(f"{subject.name}, a {subject.kind}; {subject.note}", file=sys.stderr)
    print(f"http://{shown}:{port}/ (Ctrl+C or SIGTERM stops it)", flush=True)
    if not here:
        print("it listens beyond this machine, without a password or encryption: put a proxy before it", file=sys.stderr)
    return serve(app, listener, threads=options.queue + 1 + SPARE)


def serve(app, listener: socket.socket, threads: int) -> int:
    """Answer on `listener` until SIGTERM or SIGINT. Call it in the main thread, where signals arrive."""
    import waitress
    from waitress import wasyncore

    worker = app.extensions["zoo"]
    sockets: dict = {}
    largest = 2 * app.config["MAX_CONTENT_LENGTH"]  # up to there the application itself answers, in JSON
    server = waitress.create_server(
        app, map=sockets, sockets=[listener], threads=threads, max_request_body_size=largest, channel_timeout=30, ident=None
    )
    stop = threading.Event()

    def told(*_):
        worker.stop()
        stop.set()
        server.pull_trigger()  # wakes the loop below

    before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGINT)}
    failure: list[BaseException] = []
    threading.Thread(target=_warm, args=(worker, failure, told), daemon=True).start()
    try:
        while not stop.is_set():
            wasyncore.loop(timeout=1.0, map=sockets, count=1)
        wasyncore.dispatcher.close(server)  # nobody else gets in; whoever is in gets an answer
        end = time.monotonic() + PATIENCE
        while _busy(server) and time.monotonic() < end:
            wasyncore.loop(timeout=0.1, map=sockets, count=1)
        unfinished = _busy(server)
    finally:
        server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(sockets)
        for number, handler in before.items():
            signal.signal(number, handler)
    if failure:
        print(f"zoo serve: the model cannot run: {failure[0]}", file=sys.stderr)
        return 1
    if unfinished:
        print(f"zoo serve: a request took longer than {PATIENCE:g} s after the signal and was left", file=sys.stderr)
    return 0


def _busy(server) -> bool:
    """Whether a request is being answered, or an answer is not yet sent."""
    return any(channel.requests or channel.total_outbufs_len for channel in list(server.active_channels.values()))


def _warm(worker, failure: list[BaseException], stop) -> None:
    try:
        worker.warm()
    except BaseException as error:  # whatever a model raises: the server cannot do its work
        failure.append(error)
        stop()


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ValueError(f"--port is a number from 0 (any free one) to 65535, got {port}")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(f"cannot listen on {host}, port {port}: {error.strerror or error}; choose another with --host and --port") from error


def _needed() -> None:
    import importlib.util

    lacking = [name for name in ("flask", "waitress") if importlib.util.find_spec(name) is None]
    if lacking:
        raise ImportError(f"serving needs {' and '.join(lacking)}; install them with: pip install 'vision-zoo-keras[serve]'")
