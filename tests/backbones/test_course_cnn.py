"""The three totals that the course states, and what its steps save."""

import pytest

from zoo import registry

pytestmark = pytest.mark.backend


@pytest.mark.parametrize(
    ("name", "total"), [("course_cnn_flatten", 7_476_742), ("course_cnn", 5_873_478), ("course_cnn_separable", 679_137)]
)
def test_all_weights_are_as_many_as_the_course_says(name, total):
    """Moving statistics included, as `model.summary()` counts."""
    model = registry.build_classifier(name)
    normaliser = model.layers[1]
    assert model.count_params() - normaliser.count_params() == total


def test_the_flattening_head_needs_one_image_size_and_the_pooling_one_does_not():
    with pytest.raises(ValueError, match="needs a fixed input size"):
        registry.build_classifier("course_cnn_flatten_micro", input_shape=(None, None, 3))
    assert registry.build_classifier("course_cnn_micro", input_shape=(None, None, 3)).output_shape == (None, 10)


def test_splitting_saves_nine_tenths_of_the_weights():
    """The course's 91 %."""
    flatten, separable = (registry.row(name)[1].parameters for name in ("course_cnn_flatten", "course_cnn_separable"))
    assert 1 - separable / flatten == pytest.approx(0.91, abs=0.005)
