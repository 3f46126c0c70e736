"""The two files of one published set of keras.applications, as records."""

from __future__ import annotations

from typing import Any

from zoo.weights.record import APPLICATIONS_H5, Record

HOST = "https://storage.googleapis.com/tensorflow/keras-applications"


def pair(row: str, file: str, *, full: tuple, notop: tuple, end: str = "", host: str = HOST, **facts: Any) -> tuple[Record, Record]:
    """The file with the head and the one without, host/file + end[.h5 | _notop.h5].

    full, notop: (digest or None, bytes or None, numbers stored); a digest without algorithm is md5.
    facts:       further fields of `Record`: licence, top1, top5, mean, std, size ...
    """
    shared = {"models": (row,), "tag": "imagenet", "format": APPLICATIONS_H5, "source": "https://keras.io/api/applications/", **facts}
    return (
        Record(url=f"{host}/{file}{end}.h5", digest=_digest(full[0]), bytes=full[1], parameters=full[2], **shared),
        Record(url=f"{host}/{file}{end}_notop.h5", digest=_digest(notop[0]), bytes=notop[1], parameters=notop[2], top=False, **shared),
    )


def _digest(text: str | None) -> str | None:
    return text if text is None or ":" in text else f"{'md5' if len(text) == 32 else 'sha256'}:{text}"
