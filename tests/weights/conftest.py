"""A file server on this machine that can misbehave in every way that real ones do."""

from __future__ import annotations

import hashlib
import http.server
import threading

import pytest

CONTENT = bytes(range(256)) * 800  # 204,800 bytes
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Server:
    """`mode` says how the next request is answered; `hits` lists the paths asked for; `reached` is set once bytes went out."""

    def __init__(self):
        self.mode, self.hits = "good", []
        self.reached, self.release = threading.Event(), threading.Event()
        room = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                room.hits.append(self.path)
                room.answer(self)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/files/a.h5"

    def answer(self, request):
        if self.mode in ("404", "redirect"):
            request.send_response(404 if self.mode == "404" else 302)
            request.send_header("Location", "http://example.com/a.h5")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        body = {
            "html": b"<!DOCTYPE html><p>please log in",
            "short": CONTENT[:1000],
            "long": CONTENT + b"more",
            "flipped": b"\xff" + CONTENT[1:],
        }
        body = body.get(self.mode, CONTENT)
        request.send_response(200)
        request.send_header("Content-Length", str(len(CONTENT) if self.mode == "cut" else len(body)))
        request.end_headers()
        if self.mode in ("stall", "cut"):
            request.wfile.write(body[:70_000])
            request.wfile.flush()
            self.reached.set()
            if self.mode == "stall":
                self.release.wait(30)
            request.close_connection = True
            return
        request.wfile.write(body)

    def close(self):
        self.release.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch, tmp_path):
    for name in ("ZOO_MIRROR", "ZOO_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    room = Server()
    yield room
    room.close()
