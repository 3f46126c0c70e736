"""MobileNetV2, as keras.applications (float, without hashes), torchvision and Google's Coral team (a quantised file) publish it.

One float set of keras.applications per alpha and training size: tag "imagenet" is 224 pixels, "imagenet_192", "_160", "_128" and
"_96" are the others. Their accuracies are those of the checkpoints in TensorFlow's model garden that the files were converted from;
top-5 from memory of that table, and only for 224 pixels. Sizes in bytes are not published, but for the quantised file.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.publishers import HALF, KERNELS, sizes, torchvision
from zoo.weights.record import TFLITE_INT8, Record

_FACTS: dict[str, Any] = {**HALF, "licence": "Apache-2.0", "source": "https://keras.io/api/applications/mobilenet/"}

_ACCURACY: dict[tuple, dict] = {
    ("mobilenet_v2_035", "0.35", 1_691_208, 410_208): {224: (0.603, 0.829), 192: 0.582, 160: 0.557, 128: 0.508, 96: 0.455},
    ("mobilenet_v2_050", "0.5", 1_987_224, 706_224): {224: (0.654, 0.864), 192: 0.639, 160: 0.610, 128: 0.577, 96: 0.512},
    ("mobilenet_v2_075", "0.75", 2_663_064, 1_382_064): {224: (0.698, 0.896), 192: 0.687, 160: 0.664, 128: 0.632, 96: 0.588},
    ("mobilenet_v2", "1.0", 3_538_984, 2_257_984): {224: (0.718, 0.910), 192: 0.707, 160: 0.688, 128: 0.653, 96: 0.603},
    ("mobilenet_v2_130", "1.3", 5_431_048, 3_766_048): {224: (0.744, 0.921)},
    ("mobilenet_v2_140", "1.4", 6_156_712, 4_363_712): {224: (0.750, 0.925)},
}
"""(row, alpha in the file's name, numbers stored with the head, without): {pixels: top-1, or (top-1, top-5)}."""


RECORDS: tuple[Record, ...] = (
    *(
        record
        for (row, alpha, full, notop), accuracies in _ACCURACY.items()
        for record in sizes(row, f"mobilenet_v2/mobilenet_v2{KERNELS}_{alpha}_{{}}", accuracies, full=full, notop=notop, **_FACTS)
    ),
    Record(
        models=("mobilenet_v2",),
        tag="imagenet_int8",
        url="https://raw.githubusercontent.com/google-coral/test_data/104342d2d3480b3e66203073dac24f4e2dbb4c41/"
        "tf2_mobilenet_v2_1.0_224_ptq.tflite",
        digest="sha256:5d3137241276e79c86d14a74fe43581398ae0e815191d3dba45495b810840e8c",
        bytes=4_070_174,
        format=TFLITE_INT8,
        licence="Apache-2.0",
        parameters=3_489_097,
        mean=(127.0,) * 3,  # the file's own input quantiser: (x - 127) * 0.0078431
        std=(127.5,) * 3,
        source="https://coral.ai/models/image-classification/",
    ),
    torchvision(
        "mobilenet_v2_torchvision",
        "mobilenet_v2-7ebf99e0",
        tag="imagenet1k_v2",
        parameters=3_538_984,
        crop=224 / 232,
        top1=0.72154,
        top5=0.90822,
        source="https://github.com/pytorch/vision/issues/3995#new-recipe-with-reg-tuning",
    ),
)
