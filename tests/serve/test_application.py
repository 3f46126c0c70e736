"""Every answer of the server, the refusals most of all."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from tests.serve.conftest import Corner, encoded, picture
from zoo.data.decode import Limits
from zoo.serve import application
from zoo.serve.worker import Worker


def client_of(subject, warm: bool = True, **options):
    app = application(subject, **options)
    if warm:
        app.extensions["zoo"].warm()
    return app.test_client()


@pytest.fixture
def client():
    return client_of(Corner())


def test_a_form_and_a_raw_body_give_the_same_answer(client):
    data = picture()
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    raw = client.post("/predict", data=data, content_type="image/png")
    form = client.post("/predict", data={"image": (io.BytesIO(data), "any name.exe")})
    assert raw.status_code == form.status_code == 200
    assert raw.json == form.json
    assert raw.json["corner"] == pixels[0, 0].tolist()
    assert raw.json["mean"] == pytest.approx(pixels.mean())
    assert (raw.json["width"], raw.json["height"], raw.json["model"]) == (60, 40, "corner")


def test_exif_turns_the_picture_upright(client):
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[-16:, :16] = 255  # bottom left; orientation 6 (turn right by 90 degrees) makes it the top left
    exif = Image.Exif()
    exif[0x0112] = 6
    answer = client.post("/predict", data=encoded(pixels, "PNG", exif=exif), content_type="image/png").json
    assert (answer["width"], answer["height"]) == (32, 48)
    assert answer["corner"] == [255, 255, 255]


def test_a_classifier_answers_as_the_predictor_does(labels):
    data = picture(kind="JPEG")
    answer = client_of(labels).post("/predict?top=3", data=data, content_type="image/jpeg").json
    (wanted,) = labels.predictor.top([data], 3)
    assert answer["labels"] == [name for name, _ in wanted]
    assert answer["probabilities"] == pytest.approx([probability for _, probability in wanted], rel=1e-6)
    assert answer["note"] == "random weights: the answer means nothing"


@pytest.mark.parametrize(("address", "accept"), [("/predict?annotated=1", "*/*"), ("/predict", "image/png")])
def test_an_annotated_picture(labels, address, accept):
    data = picture(100, 120)
    answer = client_of(labels).post(address, data=data, headers={"Accept": accept})
    assert answer.content_type == "image/png"
    drawn, given = np.asarray(Image.open(io.BytesIO(answer.data))), np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(drawn[:500, ::5], given.repeat(5, 0))  # shown five times as large, the lines below it
    assert drawn.shape[0] > 500
    assert np.ptp(drawn[500:]) > 100  # letters


def test_a_large_annotated_picture_is_reduced_and_one_of_the_middle_left():
    client = client_of(Corner())
    for given, shown in (((2000, 1000), (1280, 640)), ((500, 512), (500, 512)), ((700, 900), (700, 900))):
        answer = client.post("/predict?annotated=1", data=encoded(np.zeros((*given, 3), np.uint8)))
        assert Image.open(io.BytesIO(answer.data)).size == shown[::-1]


def test_json_is_the_default_answer(client):
    for accept in ("*/*", "application/json, image/png", "text/html"):
        assert client.post("/predict", data=picture(), headers={"Accept": accept}).is_json


BIG = Limits(4_000, 3_000, 100, 8, ("JPEG", "PNG", "WEBP"))


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (413, b"x" * 4_001, "image/png", "at most 0.004 MB"),
        (413, b"x" * 200_000, "image/png", "at most 0.004 MB"),
        (413, encoded(np.zeros((61, 50, 3), np.uint8)), "image/png", "50x61 pixels, more than the limit of 0.003 million"),
        (413, encoded(np.zeros((8, 101, 3), np.uint8)), "image/png", "longer than the limit of 100"),
        (415, b"no picture at all", "image/png", "not a picture"),
        (415, picture(16, 16)[:-200], "image/png", "truncated or damaged PNG"),
        (415, encoded(np.zeros((20, 20, 3), np.uint8), "GIF"), "image/gif", "GIF is not accepted here"),
        (415, picture(16, 16), "application/json", "Content-Type is not accepted; wanted image/jpeg"),
        (415, picture(16, 16), "text/plain", "Content-Type is not accepted"),
        (415, b"<svg onload=alert(1)>", "image/svg+xml", "SVG"),
        (422, b"", "image/png", "has no body"),
    ],
)
def test_uploads_that_are_refused(status, body, kind, words):
    answer = client_of(Corner(), limits=BIG).post("/predict", data=body, content_type=kind)
    assert (answer.status_code, answer.json["status"]) == (status, status)
    assert words in answer.json["error"]


def test_pixels_are_counted_before_they_are_decoded(monkeypatch):
    """A small file that claims 20,000 x 20,000 pixels: refused without a decoder having been run."""
    from PIL import PngImagePlugin

    data = bytearray(picture(16, 16))
    data[16:24] = (20_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda *_: pytest.fail("the pixels were decoded"))
    answer = client_of(Corner(), warm=True).post("/predict", data=bytes(data))
    assert answer.status_code == 413
    assert "20000x20000" in answer.json["error"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"picture": b"x"}, '"image" of the form, got 1 files in other fields'), ({"text": "x"}, "got 0 files in other fields")],
)
def test_a_form_without_a_picture(client, fields, words):
    data = {name: (io.BytesIO(value), "a.png") if isinstance(value, bytes) else value for name, value in fields.items()}
    answer = client.post("/predict", data=data, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert words in answer.json["error"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("top=0", "top must be a whole number from 1 to"),
        ("top=2.5", "whole number"),
        ("top=nan", "whole number"),
        ("top=1&top=2", "given 2 times"),
        ("tops=1", "there is no parameter 'tops'; there are top, annotated"),
        ("annotated=yes", "annotated must be a whole number from 0 to 1"),
    ],
)
def test_parameters_that_are_refused(labels, query, words):
    answer = client_of(labels).post(f"/predict?{query}", data=picture())
    assert answer.status_code == 422
    assert words in answer.json["error"]


def test_other_addresses_and_methods_are_told_in_json(client):
    assert client.get("/nothing").status_code == 404
    assert client.get("/nothing").is_json
    assert client.get("/predict").status_code == 405
    assert client.get("/predict").is_json
    assert client.post("/health").status_code == 405


def test_a_name_of_another_site_is_refused(client):
    answer = client.get("/health", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.is_json) == (400, True)
    assert client.get("/health", headers={"Host": "127.0.0.1:8000"}).status_code == 200
    assert client_of(Corner(), hosts=None).get("/health", headers={"Host": "camera.example"}).status_code == 200


def test_health_is_ready_only_while_it_can_answer():
    client = client_of(Corner(), warm=False)
    worker = client.application.extensions["zoo"]
    assert (client.get("/health").status_code, client.get("/health").json["status"]) == (503, "warming up")
    refused = client.post("/predict", data=picture())
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 0, "warming up" in refused.json["error"]) == (503, True, True)
    worker.warm()
    assert (client.get("/health").status_code, client.get("/health").json["status"]) == (200, "ready")
    assert client.post("/predict", data=picture()).status_code == 200
    worker.stop()
    assert client.get("/health").status_code == client.post("/predict", data=picture()).status_code == 503


def test_a_model_that_fails_tells_the_owner_and_not_the_asker(client, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("the secret path")

    monkeypatch.setattr(Corner, "run", fail)
    answer = client.post("/predict", data=picture())
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "the secret path" in caplog.text
    monkeypatch.undo()
    assert client.post("/predict", data=picture()).status_code == 200, "the place in the queue was not given back"


def test_a_model_that_cannot_warm_up_is_never_ready(monkeypatch):
    def fail(*_):
        raise RuntimeError("no")

    monkeypatch.setattr(Corner, "run", fail)
    worker = Worker(Corner())
    with pytest.raises(RuntimeError):
        worker.warm()
    assert worker.state == "failed"


def test_metrics_count_what_was_asked(client):
    for _ in range(3):
        client.post("/predict", data=picture())
    client.post("/predict?x=1", data=picture())
    client.get("/no/such/<place>")
    text = client.get("/metrics").text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert values['zoo_requests_total{path="/predict",status="200"}'] == "3"
    assert values['zoo_requests_total{path="/predict",status="422"}'] == "1"
    assert values['zoo_errors_total{status="404"}'] == values['zoo_errors_total{status="422"}'] == "1"
    assert "place" not in text
    assert (values["zoo_inside"], values["zoo_queue_limit"], values["zoo_ready"]) == ("0", "8", "1")
    buckets = [int(values[key]) for key in values if key.startswith('zoo_request_seconds_bucket{path="/predict"')]
    assert buckets == sorted(buckets)
    assert buckets[-1] == int(values['zoo_request_seconds_count{path="/predict"}']) == 4
    assert float(values['zoo_request_seconds_sum{path="/predict"}']) > 0


def test_prometheus_can_read_the_metrics(client):
    parser = pytest.importorskip("prometheus_client.parser", reason="the parser of Prometheus' own client is not installed")
    client.post("/predict", data=picture())
    families = {family.name: family for family in parser.text_string_to_metric_families(client.get("/metrics").text)}
    assert families["zoo_request_seconds"].type == "histogram"
    assert families["zoo_requests"].type == "counter"


def test_the_page_holds_nothing_of_a_request():
    hostile = "<script>alert(1)</script>"
    client = client_of(Corner(hostile))
    answer = client.get(f"/?{hostile}", headers={"User-Agent": hostile, "Referer": hostile})
    assert hostile not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
    assert re.findall(r"<script.*?>", answer.text) == ["<script>"]
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_policy_allows_exactly_the_script_and_the_style_of_the_page(client):
    """The digests as a browser computes them: over the text between the tags."""
    import base64
    import hashlib

    answer = client.get("/")
    for tag in ("script", "style"):
        inner = re.search(f"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL).group(1)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in answer.headers["Content-Security-Policy"]


def test_an_error_does_not_repeat_more_than_a_short_piece_of_what_came(client):
    answer = client.post("/predict?" + "y" * 5000 + "=1", data=picture())
    assert answer.status_code == 422
    assert len(answer.json["error"]) < 200
    assert json.loads(answer.data)
