"""The Flask application: POST /predict, GET /health, GET /metrics, and a page to try it by hand."""

from __future__ import annotations

import time
from typing import Any

import flask
import numpy as np
from werkzeug.exceptions import HTTPException, ServiceUnavailable, UnprocessableEntity

from zoo.data.decode import Limits
from zoo.serve import page
from zoo.serve.meters import TYPE, Meters
from zoo.serve.parameters import Number, read
from zoo.serve.subject import Subject
from zoo.serve.upload import FRAME, LIMITS, content, picture
from zoo.serve.worker import READY, Busy, Worker
from zoo.viz import png, readable

LARGEST, SMALL = 1280, 640
"""Longest side in pixels of an annotated picture; one of less than half of SMALL is enlarged, so that letters have room."""
HERE = ("127.0.0.1", "localhost", "[::1]")
"""The names of this machine: a page on another site that points its own name at it is refused (DNS rebinding)."""
ANNOTATED = {"annotated": Number(int, 0, 1, 0, "1: a PNG with the answer drawn on it")}


def application(
    subject: Subject, *, worker: Worker | None = None, queue: int = 8, limits: Limits = LIMITS, hosts: tuple[str, ...] | None = HERE
) -> flask.Flask:
    """The application for one subject; it answers predictions once `app.extensions["zoo"].warm()` has run.

    queue:  requests that may wait (see `zoo.serve.worker.Worker`); or give a `worker`.
    limits: of an uploaded picture.
    hosts:  names under which it may be asked; None: any, for a server that is meant to be seen by others.
    """
    app = flask.Flask("zoo.serve", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=limits.bytes + FRAME, TRUSTED_HOSTS=None if hosts is None else list(hosts))
    app.debug = False  # whatever the environment says: a debugger in the browser runs any code it is given
    worker = worker or Worker(subject, queue)
    meters = Meters()
    app.extensions["zoo"] = worker

    @app.post("/predict")
    def predict():
        """A picture -> the answer, as JSON or drawn on it."""
        return _predict(worker, limits)

    @app.get("/health")
    def health():
        """200 once the model is warm, 503 before and while it stops."""
        facts = {"status": worker.state, "model": subject.name, "kind": subject.kind, "note": subject.note}
        return facts, 200 if worker.state == READY else 503

    @app.get("/metrics")
    def metrics():
        """The counters, for Prometheus."""
        return flask.Response(meters.text(worker.inside, worker.queue, worker.state == READY), content_type=TYPE)

    @app.get("/")
    def index():
        """A page to try it by hand."""
        answer = flask.Response(page.html(subject), content_type="text/html; charset=utf-8")
        answer.headers["Content-Security-Policy"] = page.POLICY
        return answer

    _measured(app, meters)
    _errors(app)
    return app


def _predict(worker: Worker, limits: Limits):
    request, subject = flask.request, worker.subject
    try:
        chosen = read(request.args.to_dict(flat=False), {**subject.parameters, **ANNOTATED})
    except ValueError as error:
        raise UnprocessableEntity(str(error)) from error
    data = content(request, limits)
    with worker.slot():
        image, batch = worker.prepare(lambda: picture(data, limits))
        shape = image.shape[:2]
        drawn = chosen["annotated"] or _wants_picture(request)
        shown = readable(image, LARGEST if max(shape) > SMALL else SMALL) if drawn else None
        del image  # up to 75 MB, not to be held while the request waits for the model
        outputs = worker.run(batch)
    answer = subject.answer(outputs, shape, chosen)
    if shown is not None:
        return _png(subject, shown, answer, shape)
    facts = {"model": subject.name, "kind": subject.kind, "note": subject.note, "width": shape[1], "height": shape[0]}
    return {**facts, **answer}


def _wants_picture(request: flask.Request) -> bool:
    return request.accept_mimetypes.best_match(["application/json", "image/png"]) == "image/png"


def _png(subject: Subject, image: np.ndarray, answer: dict[str, Any], shape: tuple[int, int]) -> flask.Response:
    drawn = subject.draw(image, answer, image.shape[1] / shape[1])
    return flask.Response(png(drawn), content_type="image/png")


def _measured(app: flask.Flask, meters: Meters) -> None:
    known = {rule.rule for rule in app.url_map.iter_rules()}

    @app.before_request
    def start():
        flask.g.start = time.perf_counter()

    @app.after_request
    def count(response):
        path = flask.request.path if flask.request.path in known else "other"
        meters.count(path, response.status_code, time.perf_counter() - flask.g.get("start", time.perf_counter()))
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response


def _errors(app: flask.Flask) -> None:
    """Every error as {"error": what was wanted and what came, "status": number}."""

    @app.errorhandler(Busy)
    def busy(error):
        raised = ServiceUnavailable(str(error), retry_after=error.seconds)
        return _told(raised)

    @app.errorhandler(HTTPException)
    def told(error):
        return _told(error)

    @app.errorhandler(Exception)
    def failed(error):
        app.logger.exception("a request failed")  # for the owner's eyes; the asker learns nothing of this machine
        return flask.jsonify(error="the server failed on this request; its log tells why", status=500), 500


def _told(error: HTTPException):
    answer = error.get_response()
    answer.set_data(flask.json.dumps({"error": error.description, "status": error.code}) + "\n")
    answer.content_type = "application/json"
    return answer
