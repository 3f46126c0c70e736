"""Many askers at once: the same answers as one after the other, no more inside than the queue allows, two models apart."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.serve.conftest import Corner, picture
from zoo.serve import application


def _warm(subject, **options):
    app = application(subject, **options)
    app.extensions["zoo"].warm()
    return app


def _ask(app, data):
    return app.test_client().post("/predict", data=data)


def test_eight_threads_get_the_answers_of_one(labels):
    app = _warm(labels, queue=8)
    pictures = [picture(seed=seed) for seed in range(8)]
    alone = [_ask(app, data).json for data in pictures]
    assert len({tuple(answer["probabilities"]) for answer in alone}) == 8
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: _ask(app, data).json, pictures * 5))
    assert together == alone * 5


def test_two_models_do_not_mix(labels):
    from zoo import predict
    from zoo.serve import Labels

    others = Labels(predict.from_registry("small_cnn_micro"))  # the same network with other random weights
    apps = [_warm(labels), _warm(others)]
    data = picture()
    alone = [_ask(app, data).json for app in apps]
    assert alone[0]["probabilities"] != alone[1]["probabilities"]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda number: _ask(apps[number % 2], data).json, range(32))) == alone * 16
    assert 'zoo_requests_total{path="/predict",status="200"} 17' in apps[0].test_client().get("/metrics").text


class Slow(Corner):
    """Answers when it is let, and notices when two are inside at once."""

    def __init__(self):
        super().__init__()
        self.go, self.entered = threading.Event(), threading.Semaphore(0)
        self.running, self.overlap = 0, False

    def run(self, batch):
        self.running += 1
        self.overlap |= self.running > 1
        self.entered.release()
        self.go.wait(30)
        self.running -= 1
        return super().run(batch)


def test_beyond_the_queue_it_says_come_again():
    subject = Slow()
    subject.go.set()
    app = _warm(subject, queue=2)
    worker = app.extensions["zoo"]
    subject.go.clear()
    while subject.entered.acquire(blocking=False):
        pass
    with ThreadPoolExecutor(3) as pool:
        first = [pool.submit(_ask, app, picture()) for _ in range(3)]
        assert subject.entered.acquire(timeout=30)
        ready = threading.Event()
        while worker.inside < 3 and not ready.wait(0.01):  # the two others are on their way to the queue
            pass
        refused = _ask(app, picture())
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) >= 1
        assert "there is room for 3" in refused.json["error"]
        assert app.test_client().get("/health").status_code == 200
        assert "zoo_inside 3" in app.test_client().get("/metrics").text
        subject.go.set()
        assert [answer.result().status_code for answer in first] == [200] * 3
    assert not subject.overlap, "two threads were in the model at once"
    assert worker.inside == 0
    assert _ask(app, picture()).status_code == 200


def test_a_negative_queue_is_refused():
    with pytest.raises(ValueError, match="give 0 or more"):
        application(Corner(), queue=-1)
