"""`zoo serve` as a user starts it: a process of its own, asked over a socket, stopped by a signal."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.serve.conftest import picture
from zoo.__main__ import main

ROOT = Path(__file__).resolve().parents[2]

SLOW = """
import sys, threading
from tests.serve.conftest import Corner
from zoo.serve import application, command

class Held(Corner):
    warm = 0
    def run(self, batch):
        Held.warm += 1
        if Held.warm > 2:
            print("inside", flush=True)
            sys.stdin.readline()
        return super().run(batch)

listener = command._listen("127.0.0.1", 0)
print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
sys.exit(command.serve(application(Held()), listener, threads=4))
"""


def _start(*arguments) -> tuple[subprocess.Popen, int]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
    if not found:
        process.kill()
        pytest.fail(f"no address in {line!r}: {process.communicate()[1]}")
    return process, int(found.group(1))


def _ask(port: int, method: str, path: str, body=None, headers=()) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, dict(headers))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content)


def _when_ready(port: int) -> None:
    pause = threading.Event()
    while _ask(port, "GET", "/health")[0] != 200:
        pause.wait(0.1)


@pytest.fixture
def slow():
    process, port = _start("-c", SLOW)
    yield process, port
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_a_signal_lets_the_request_in_hand_finish_and_nobody_else_in(slow):
    process, port = slow
    _when_ready(port)
    answers = []
    asker = threading.Thread(target=lambda: answers.append(_ask(port, "POST", "/predict", picture())))
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=60)  # a connection that is open already
    kept.request("GET", "/health")
    kept.getresponse().read()
    asker.start()
    assert process.stdout.readline() == "inside\n"
    process.send_signal(signal.SIGTERM)
    pause = threading.Event()
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
        except ConnectionRefusedError:
            break
        pause.wait(0.01)
    kept.request("POST", "/predict", picture())
    assert kept.getresponse().status == 503
    kept.close()
    process.stdin.write("\n")
    process.stdin.flush()
    asker.join(60)
    assert answers[0][0] == 200
    assert process.wait(60) == 0


def test_a_body_that_is_far_too_large_is_cut_off(slow):
    """Announced beyond what the application answers in JSON: waitress refuses it before the first byte is kept."""
    _, port = slow
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Length", str(10**9))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.slow
@pytest.mark.skipif(os.environ["KERAS_BACKEND"] != "tensorflow", reason="one backend is enough for the life of a process")
def test_the_command_from_start_to_signal():
    process, port = _start("-m", "zoo", "serve", "--model", "small_cnn_micro", "--port", "0")
    try:
        _when_ready(port)
        status, answer = _ask(port, "POST", "/predict?top=2", picture(), {"Content-Type": "image/png"}.items())
        assert (status, len(answer["labels"])) == (200, 2)
        status, answer = _ask(port, "POST", "/predict", b"x" * 10_100_000)
        assert (status, answer["status"]) == (413, 413)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            process.kill()
        said = process.communicate()[1]
    assert "random weights" in said


@pytest.mark.slow
@pytest.mark.skipif(os.environ["KERAS_BACKEND"] != "tensorflow", reason="one backend is enough for the life of a process")
def test_a_trained_detector_is_served_by_a_process_that_has_never_seen_it(tmp_path):
    """Keras reads the file only where its classes were imported, which this process has done and the server must do itself."""
    import zoo
    from zoo import predict

    zoo.detector("yolov8_style_micro", classes=2, input_shape=(64, 64, 3)).save(tmp_path / "model.keras")
    predict.save_labels(tmp_path, ["stop", "go"], (64, 64), "nothing", "letterbox")
    process, port = _start("-m", "zoo", "serve", str(tmp_path), "--port", "0")
    try:
        _when_ready(port)
        status, answer = _ask(port, "POST", "/predict", picture())
        assert (status, answer["kind"], answer["width"]) == (200, "detector", 60)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "one of the two"),
        (["runs/x", "--model", "small_cnn_micro"], "one of the two"),
        (["no/such/run"], "not the folder of a finished run"),
        (["--model", "small_cnn_micro", "--queue", "-1"], "--queue must be at least 0"),
        (["--model", "small_cnn_micro", "--port", "99999"], "to 65535, got 99999"),
    ],
)
def test_what_cannot_be_served(arguments, words, capsys):
    assert main(["serve", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_port_in_use_is_told(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--model", "small_cnn_micro", "--port", str(taken.getsockname()[1])]) == 2
    assert "choose another with --host and --port" in capsys.readouterr().err


def test_a_missing_package_is_named(monkeypatch, capsys):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["serve", "--model", "small_cnn_micro"]) == 2
    assert "pip install 'vision-zoo-keras[serve]'" in capsys.readouterr().err
