"""What a change did, in words: gains, losses, trades, and what is too little to count."""

from __future__ import annotations

import pytest

from zoo.train.effect import effect

OLD = {"nonzero": 1000, "epoch": 10.0, "call": 0.05, "memory": 400, "gzip": 900, "accuracy": [0.5, 0.6]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "No effect here. Same: weights, training, inference, memory, file, accuracy."),
        ({"epoch": 4.0}, "A gain. Better: training 2.5 times as fast. Same: weights, inference, memory, file, accuracy."),
        ({"epoch": 40.0}, "A loss here. Worse: training 4.0 times as long. Same: weights, inference, memory, file, accuracy."),
        ({"epoch": 10.9, "call": 0.046}, "No effect here. Same: weights, training, inference, memory, file, accuracy."),
        ({"nonzero": 90, "memory": 800}, "A trade. Better: weights -91%. Worse: memory +100%. Same: training, inference, file, accuracy."),
        ({"accuracy": [0.7, 0.8]}, "A gain. Better: accuracy +20.0 points. Same: weights, training, inference, memory, file."),
        ({"accuracy": [0.3, 0.4]}, "A loss here. Worse: accuracy -20.0 points. Same: weights, training, inference, memory, file."),
        (
            {"accuracy": [0.55, 0.7], "memory": None},
            "No effect here. Same: weights, training, inference, file, accuracy (+7.5 points, but the seeds overlap).",
        ),
    ],
)
def test_the_words_follow_from_the_numbers(change, words):
    assert effect(OLD, {**OLD, **change}) == words


def test_one_seed_proves_nothing():
    assert effect({"accuracy": [0.5]}, {"accuracy": [0.9]}) == "No effect here. Same: accuracy (+40.0 points, but of one seed)."


def test_what_is_absent_is_not_compared():
    assert effect({"epoch": 1.0}, {"epoch": 1.0, "call": 2.0}) == "No effect here. Same: training."
