"""What OpenCV's own reader of darknet's files says of YOLO-Fastest-1.1-XL: `python -m tests.weights.opencv_darknet`.

OpenCV 5 no longer reads darknet's files, so this runs in an environment of its own, with `opencv-python-headless<5` and pillow, and with
ZOO_MIRROR and ZOO_DATA set. It writes the answers beside itself, which `test_darknet.py` compares with ours:
rows before any suppression whose best class
has a score of at least 0.01. Its region layer gives (x, y, w, h, objectness) in fractions and objectness times class, 0 below `thresh`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

ANSWERS = Path(__file__).with_name("yolo_fastest_opencv.npz")
HOST = "raw.githubusercontent.com"
CFG = f"{HOST}/dog-qiuqiu/Yolo-Fastest/96a2900d163196c396e73f3fdab04ca4dd9a2f70/ModelZoo/yolo-fastest-1.1_coco/yolo-fastest-1.1-xl.cfg"
ROAD = f"{HOST}/udacity/CarND-LaneLines-P1/ce5681be7ef8140560c0e464ef2da611e40b4fc9"
PICTURES = f"{HOST}/google-coral/test_data/104342d2d3480b3e66203073dac24f4e2dbb4c41"
FRAMES = (0, 110, 220)
SIZE = 320
LEAST = 0.01


def pictures() -> dict[str, np.ndarray]:
    """Name -> RGB uint8 (320, 320, 3): photos, a road, three COCO images, three frames of the road video, each stretched to the size."""
    import cv2

    mirror, coco = Path(os.environ["ZOO_MIRROR"]), Path(os.environ["ZOO_DATA"], "coco_tiny")
    files = [
        mirror / PICTURES / "cat.bmp",
        mirror / PICTURES / "dog_segmentation.bmp",
        mirror / ROAD / "test_images" / "whiteCarLaneSwitch.jpg",
    ]
    permitted = [line.split()[0] for line in (coco / "permissive.txt").read_text().splitlines() if not line.startswith("#")]
    files += [coco / "images" / name for name in permitted[:3]]
    found = {file.name: np.asarray(Image.open(file).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)) for file in files}
    video = cv2.VideoCapture(str(mirror / ROAD / "test_videos" / "solidWhiteRight.mp4"))
    for index in range(max(FRAMES) + 1):
        good, frame = video.read()
        if good and index in FRAMES:
            picture = Image.fromarray(frame[..., ::-1]).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
            found[f"frame{index}"] = np.asarray(picture)
    return found


def answer(image: np.ndarray, net) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (a, 4) xyxy in pixels and scores (a, 80) of every anchor, finest level first."""
    import cv2

    net.setInput(cv2.dnn.blobFromImage(image, 1 / 255.0, (SIZE, SIZE), swapRB=False, crop=False))
    rows = np.concatenate(sorted(net.forward(net.getUnconnectedOutLayersNames()), key=len, reverse=True))
    centre, half = rows[:, :2] * SIZE, rows[:, 2:4] * SIZE / 2
    return np.concatenate([centre - half, centre + half], axis=1), rows[:, 5:]


def main() -> None:
    import cv2

    cfg = Path(os.environ["ZOO_MIRROR"], CFG)
    text = cfg.read_text().replace("[yolo]", "[yolo]\nthresh=0.001")  # an option of OpenCV's reader alone, 0.2 unless it is given
    net = cv2.dnn.readNetFromDarknet(np.frombuffer(text.encode(), "uint8"), np.fromfile(cfg.with_suffix(".weights"), "uint8"))
    kept = {}
    for name, image in pictures().items():
        boxes, scores = answer(image, net)
        index = np.flatnonzero(scores.max(1) >= LEAST)
        kept |= {f"{name}:index": index.astype("int32"), f"{name}:boxes": boxes[index], f"{name}:scores": scores[index]}
    np.savez_compressed(ANSWERS, opencv=np.array(cv2.__version__), **kept)


if __name__ == "__main__":
    main()
