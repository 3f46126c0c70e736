"""The panel: closed forms for its numbers, on a network whose evidence is known an honest verdict, and always beside its baselines."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from tests.explain import patches
from zoo import explain
from zoo.explain import baselines, panel, session, trust
from zoo.explain.fixed import fixed


@pytest.fixture(scope="module")
def linear():
    image = keras.Input((6, 6, 3))
    dense = layers.Dense(2, use_bias=False)
    model = keras.Model(image, dense(layers.Flatten()(image)))
    weights = np.random.default_rng(4).normal(size=(6, 6, 3, 2)).astype("float32")
    dense.set_weights([weights.reshape(-1, 2)])
    return model, weights[..., 1].sum(-1)


IMAGES = np.random.default_rng(5).uniform(0, 255, (2, 6, 6, 3)).astype("float32")


def constant(values):
    def method(model, images, target=None, **options):
        return np.broadcast_to(values, (len(images), 6, 6)).astype("float32")

    return method


def test_the_gradient_of_a_linear_model_forecasts_without_error(linear):
    model, gradient = linear
    heat = np.stack([gradient, -3 * gradient])
    np.testing.assert_allclose(explain.infidelity(model, IMAGES, heat, 1), 0, atol=1e-6)  # up to a factor
    exact, scaled = explain.infidelity(model, IMAGES, heat, 1, normalise=False)
    assert exact == pytest.approx(0, abs=0.05)
    change = 20 * np.random.default_rng((0, 1)).normal(size=(50, 6, 6))
    assert scaled == pytest.approx(np.mean((4 * (change * gradient).sum((1, 2))) ** 2), rel=1e-3)
    none = explain.infidelity(model, IMAGES, np.zeros((2, 6, 6)), 1)
    np.testing.assert_array_equal(none, 1)  # a map that forecasts nothing


def test_a_map_that_never_moves_is_not_sensitive(linear):
    model, _ = linear
    assert (explain.max_sensitivity(model, IMAGES, constant(np.eye(6)), 1) == 0).all()
    assert np.isnan(explain.max_sensitivity(model, IMAGES, constant(0), 1)).all()
    moved = explain.max_sensitivity(model, IMAGES, lambda model, images, target, **options: images.mean(-1), 1, radius=5)
    assert (moved > 0).all()
    assert (moved <= 5 / IMAGES.mean(-1).min()).all()


def test_the_panel_says_what_the_known_truth_says(learned):
    """The textured patch is the evidence: Grad-CAM finds it, noise does not, and Sobel edges do not depend on the weights."""
    images, classes, boxes = patches.draw(1, seed=3)
    found = explain.trust_panel(learned, images[0], "gradcam", int(classes[0]), box=boxes[0])
    own, edges, chance = (found.rows[row] for row in (panel.METHOD, "sobel", "random"))
    assert found.columns == list(panel.COLUMNS)
    assert own["pointing"] == 1
    assert own["mass"] > 0.5 > chance["mass"]
    assert own["deletion"] < 0.75 * chance["deletion"]
    assert own["insertion"] > 0.95 > 0.85 > chance["insertion"]
    assert own["random weights"] < 0.5 < edges["random weights"] == pytest.approx(1)
    assert chance["random weights"] < 0.1  # drawn anew
    assert edges["mass"] < own["mass"]
    again = json.loads(json.dumps(found.as_dict()))
    assert again["rows"][panel.METHOD]["deletion"] == own["deletion"]
    for column in ("deletion", "insertion"):
        for row, scores in again["curves"][column].items():
            assert np.trapezoid(scores, again["fractions"]) == pytest.approx(found.rows[row][column], abs=0.005)
    assert "Sobel edges" in found.table()
    assert found.verdict() in found.table()


def test_a_method_that_is_an_edge_detector_is_told_so(learned):
    images, _, _ = patches.draw(1, seed=4)
    edges = baselines.sobel_map(images)
    assert "No better than Sobel edges" in explain.trust_panel(learned, images, heat=edges).verdict()

    def method(model, images, target=None, **options):
        return baselines.sobel_map(images)

    with_method = explain.trust_panel(learned, images, method)
    assert "Hardly about what the model has learned" in with_method.verdict()
    assert "stays alike (1.00 of 1)" in with_method.verdict()


def test_heat_alone_leaves_out_what_needs_new_maps(learned):
    images, _, _ = patches.draw(1, seed=5)
    found = explain.trust_panel(learned, images, heat=baselines.centre_map(images)[0])
    assert found.columns == ["deletion", "insertion", "infidelity"]
    assert found.rows[panel.METHOD] == found.rows["centre"]
    empty = explain.trust_panel(learned, images, heat=np.zeros((1, 32, 32)))
    assert "The map is empty" in empty.verdict()


def numbers(deletion, insertion, alike=0.1):
    made = panel.TrustPanel()
    for row, down, up in zip(panel.ROWS, deletion, insertion, strict=True):
        made.rows[row] = {"deletion": down, "insertion": up, "random weights": alike if row == panel.METHOD else 1.0}
    return made


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (numbers((0.2, 0.5, 0.4, 0.3), (0.9, 0.5, 0.6, 0.7)), "Better than a random map, the centre and Sobel edges"),
        (numbers((0.3, 0.5, 0.4, 0.3), (0.7, 0.5, 0.6, 0.7)), "No better than Sobel edges"),
        (numbers((0.2, 0.5, 0.1, 0.3), (0.9, 0.5, 0.95, 0.7)), "No better than a blob in the centre"),
        (numbers((0.6, 0.5, 0.1, 0.3), (0.4, 0.5, 0.95, 0.7)), "No better than a random map"),
        (numbers((0.2, 0.5, 0.4, 0.3), (0.6, 0.5, 0.6, 0.7)), "Better than Sobel edges in deletion only"),
        (numbers((0.2, 0.5, 0.4, 0.3), (0.9, 0.5, 0.6, 0.7), alike=0.8), "Hardly about what the model has learned"),
        (numbers((0.2, 0.5, 0.4, 0.3), (0.9, 0.5, 0.6, 0.7), alike=None), "Better than a random map"),
    ],
)
def test_the_verdict(made, words):
    assert words in made.verdict()


def test_the_steps_are_the_panel(cnn, images):
    """Nothing has run before the first step; any number of steps may run before the next one."""
    made = trust.plan(cnn, images[:1], "saliency", 2)
    assert not any(made.panel.rows.values())
    titles = [title for title, _ in made.steps]
    assert len(set(titles)) == len(titles) == 5 * 4
    for _, step in made.steps:
        step()
    assert made.panel.as_dict() == explain.trust_panel(cnn, images[:1], "saliency", 2).as_dict()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_contrast_is_decided_once_for_every_image(cnn, images, number):
    """Its data are two classes for each image; what is decided once scores as the contrast itself does."""
    some, every = images[:number], np.arange(number)
    target = explain.Contrast(2, [0] * number)
    with session.probe(cnn, some, target, 2) as asked, session.probe(cnn, some, fixed(cnn, some, target), 2) as again:
        np.testing.assert_array_equal(again.scores(again.pictures, every), asked.scores(asked.pictures, every))


def test_the_panel_of_a_contrast_has_every_number(cnn, images):
    found = explain.trust_panel(cnn, images[:1], "gradient", explain.Contrast(2, 0))
    expected = explain.infidelity(cnn, images[:1], explain.gradient(cnn, images[:1], explain.Contrast(2, 0)), explain.Contrast(2, 0))
    assert found.rows[panel.METHOD]["infidelity"] == pytest.approx(float(expected[0]), rel=1e-6)
    assert found.columns == ["deletion", "insertion", "infidelity", "sensitivity", "random weights"]


def test_wrong_questions(cnn, images):
    with pytest.raises(ValueError, match="belongs to one image, got 5"):
        explain.trust_panel(cnn, images, "saliency")
    with pytest.raises(ValueError, match="either a method or its heat"):
        explain.trust_panel(cnn, images[:1])


def test_the_cost_counts_what_passes_through_the_model(cnn, images, monkeypatch):
    """Every picture that a program is run on, as `zoo.explain.session` runs it."""
    seen = {"forward": 0, "gradient": 0}
    original = session._run

    def counting(compiled, batch, data, batch_size, progress=None):
        kind = "gradient" if compiled in gradients else "forward"
        seen[kind] += session.length(batch)
        return original(compiled, batch, data, batch_size, progress)

    gradients = []
    program = session._gradient_program

    def noted(*arguments, **how):
        made = program(*arguments, **how)
        gradients.append(made)
        return made

    heat = explain.smoothgrad(cnn, images[:1], 2, samples=4)
    expected = trust.cost(cnn, images[:1], "smoothgrad", 2, samples=4)
    monkeypatch.setattr(session, "_run", counting)
    monkeypatch.setattr(session, "_gradient_program", noted)
    explain.trust_panel(cnn, images[:1], "smoothgrad", 2, heat=heat, samples=4)
    assert seen == {"forward": expected.forwards, "gradient": expected.gradients}


def test_integrated_gradients_say_how_far_they_are_from_adding_up(cnn, images):
    found = explain.trust_panel(cnn, images[:1], "integrated_gradients", 2, steps=8)
    assert found.completeness == explain.integrated_gradients(cnn, images[:1], 2, steps=8).completeness[0]
    assert "add up to the change of the score but for" in found.table()
    assert explain.trust_panel(cnn, images[:1], heat=np.ones((1, 16, 16))).completeness is None


def test_the_first_image_of_several_inputs_is_shaken():
    """The other inputs stay those of the image."""
    image, number = keras.Input((6, 6, 3), name="image"), keras.Input((2,), name="number")
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(image))
    model = keras.Model({"image": image, "number": number}, layers.Dense(2)(layers.Concatenate()([pooled, number])))
    numbers = np.array([[1.0, 2.0], [3.0, 4.0]])
    seen = []

    def method(model, images, target=None, **options):
        seen.append(images)
        return images["image"].mean(-1)

    assert (explain.max_sensitivity(model, {"image": IMAGES, "number": numbers}, method, 1, samples=2) > 0).all()
    assert len(seen) == 3
    assert all(np.array_equal(batch["number"], numbers) for batch in seen)
    assert not np.array_equal(seen[0]["image"], seen[1]["image"])
    assert explain.randomisation(model, {"image": IMAGES, "number": numbers}, "saliency", 1).overall.shape == (2,)
