"""A detector behind HTTP: boxes in pixels of the picture that was sent, by a network that anybody can check by hand."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.export import coloured_squares
from tests.serve.conftest import encoded
from zoo import locate, predict
from zoo.__main__ import main
from zoo.serve import Boxes, application

NAMES = ("red", "green", "blue")


@pytest.fixture(scope="module")
def client():
    app = application(Boxes(locate.of(coloured_squares.detector(), NAMES, "made by hand")))
    app.extensions["zoo"].warm()
    return app.test_client()


def _wide() -> tuple[np.ndarray, np.ndarray]:
    """A grey picture of 768 x 384 pixels with a red and a blue square: in the frame of 192 it is a quarter, between grey stripes of 48."""
    pixels = np.full((384, 768, 3), 110, np.uint8)
    boxes = np.array([[64, 128, 128, 192], [640, 64, 704, 128]], float)  # cells of the frame: (1, 5) and (10, 4)
    for (left, top, right, bottom), colour in zip(boxes.astype(int), ((255, 0, 0), (0, 0, 240)), strict=True):
        pixels[top:bottom, left:right] = colour
    return pixels, boxes


def test_boxes_are_those_of_the_picture_that_was_sent(client):
    pixels, wanted = _wide()
    answer = client.post("/predict", data=encoded(pixels)).json
    assert (answer["width"], answer["height"], answer["kind"], answer["note"]) == (768, 384, "detector", "made by hand")
    assert answer["names"] == ["red", "blue"]
    assert answer["classes"] == [0, 2]
    assert answer["scores"] == sorted(answer["scores"], reverse=True)
    np.testing.assert_allclose(answer["boxes"], wanted, atol=4 * 2.1)  # the network moves boxes by up to two pixels of its frame


def test_a_threshold_leaves_boxes_out_and_changes_no_other(client):
    pixels, _ = _wide()
    data = encoded(pixels)
    every = client.post("/predict?threshold=0.05", data=data).json
    middle = (every["scores"][0] + every["scores"][1]) / 2
    fewer = client.post(f"/predict?threshold={middle}", data=data).json
    assert (fewer["boxes"], fewer["scores"]) == (every["boxes"][:1], every["scores"][:1])
    assert client.post("/predict?most=1&threshold=0.05", data=data).json["boxes"] == every["boxes"][:1]
    refused = client.post("/predict?threshold=0.01", data=data)
    assert refused.status_code == 422
    assert "from 0.05 to 1" in refused.json["error"]


def test_a_picture_without_objects(client):
    answer = client.post("/predict", data=encoded(np.full((50, 50, 3), 110, np.uint8)))
    assert answer.status_code == 200
    assert answer.json["boxes"] == answer.json["names"] == []
    assert client.post("/predict?annotated=1", data=encoded(np.full((50, 50, 3), 110, np.uint8))).content_type == "image/png"


def test_the_boxes_are_drawn_where_they_are(client):
    pixels, _ = _wide()
    box = client.post("/predict", data=encoded(pixels)).json["boxes"][1]
    drawn = np.asarray(Image.open(io.BytesIO(client.post("/predict?annotated=1", data=encoded(pixels)).data)))
    assert drawn.shape == pixels.shape
    changed = np.argwhere((drawn != pixels).any(-1))
    blue = changed[changed[:, 1] > 500]
    assert np.abs(blue[:, 1].min() - box[0]) <= 1
    assert np.abs(blue[:, 0].max() - box[3]) <= 1
    left, top, right, bottom = (round(side) for side in box)
    inside = slice(top + 4, bottom - 4), slice(left + 4, right - 4)
    np.testing.assert_array_equal(drawn[inside], pixels[inside])  # the object itself is not hidden


def test_a_run_folder_is_opened_as_what_it_is(tmp_path, capsys):
    from types import SimpleNamespace

    from zoo import registry
    from zoo.serve.open import opened

    def asked(folder):
        return opened(SimpleNamespace(run_folder=str(folder), model=None, weights=None))

    for name, model in (("boxes", coloured_squares.detector()), ("labels", registry.build_classifier("small_cnn_micro", classes=3))):
        (tmp_path / name).mkdir()
        model.save(tmp_path / name / "model.keras")
        predict.save_labels(tmp_path / name, NAMES, (32, 32), "a test")
    assert asked(tmp_path / "boxes").kind == "detector"
    assert asked(tmp_path / "boxes").locator.classes == NAMES
    assert asked(tmp_path / "labels").kind == "classifier"
    assert locate.from_run(tmp_path / "boxes").note == "trained on a test"
    with pytest.raises(ValueError, match="holds a classifier, no detector"):
        locate.from_run(tmp_path / "labels")
    assert main(["predict", str(tmp_path / "x.png"), "--run", str(tmp_path / "boxes")]) == 2
    predict.save_labels(tmp_path / "boxes", NAMES[:2], (32, 32), "a test")
    with pytest.raises(ValueError, match="scores 3 classes, but there are names for 2"):
        locate.from_run(tmp_path / "boxes")
