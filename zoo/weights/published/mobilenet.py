"""MobileNet, as keras.applications publishes it (float, without hashes) and as Google's Coral team does (a quantised file).

One float set per alpha and training size: tag "imagenet" is 224 pixels, "imagenet_192", "_160" and "_128" are the others. Accuracies
are those of the checkpoints in TensorFlow's model garden that the files were converted from, of the quantised file those on the list
of hosted models; top-5 from memory of the same tables. Sizes in bytes are not published, but for the quantised file.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.publishers import HALF, sizes
from zoo.weights.record import TFLITE_INT8, Record

_FACTS: dict[str, Any] = {**HALF, "licence": "Apache-2.0", "source": "https://keras.io/api/applications/mobilenet/"}

_ACCURACY = {
    ("mobilenet", "1_0", 4_253_864, 3_228_864): {224: (0.709, 0.899), 192: (0.700, 0.892), 160: (0.680, 0.877), 128: (0.652, 0.858)},
    ("mobilenet_075", "7_5", 2_601_976, 1_832_976): {224: (0.684, 0.882), 192: (0.672, 0.873), 160: (0.653, 0.860), 128: (0.621, 0.839)},
    ("mobilenet_050", "5_0", 1_342_536, 829_536): {224: (0.633, 0.849), 192: (0.617, 0.836), 160: (0.591, 0.819), 128: (0.563, 0.794)},
    ("mobilenet_025", "2_5", 475_544, 218_544): {224: (0.498, 0.742), 192: (0.477, 0.723), 160: (0.455, 0.703), 128: (0.415, 0.663)},
}
"""(row, alpha in the file's name, numbers stored with the head, without): {pixels: (top-1, top-5)}."""


RECORDS: tuple[Record, ...] = (
    *(
        record
        for (row, alpha, full, notop), accuracies in _ACCURACY.items()
        for record in sizes(row, f"mobilenet/mobilenet_{alpha}_{{}}_tf", accuracies, full=full, notop=notop, **_FACTS)
    ),
    Record(
        models=("mobilenet_025",),
        tag="imagenet_int8",
        url="https://raw.githubusercontent.com/google-coral/test_data/104342d2d3480b3e66203073dac24f4e2dbb4c41/"
        "mobilenet_v1_0.25_128_quant.tflite",
        digest="sha256:cb273c23ee76374b05b9583177e28aa19744858a7679c56a250e83d0333da785",
        bytes=525_598,
        format=TFLITE_INT8,
        licence="Apache-2.0",
        parameters=467_593,
        size=(128, 128),
        mean=(128.0,) * 3,  # the file's own input quantiser: (x - 128) / 128
        std=(128.0,) * 3,
        top1=0.395,
        top5=0.644,
        source="https://coral.ai/models/image-classification/",
    ),
)
