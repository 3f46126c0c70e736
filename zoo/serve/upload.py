"""The picture in a request: checked in the order of cost, by the same decoder and limits as an upload to the demo pages."""

from __future__ import annotations

import dataclasses

import flask
import numpy as np
from werkzeug.exceptions import RequestEntityTooLarge, UnprocessableEntity, UnsupportedMediaType

from zoo.data.decode import UPLOAD, ImageError, Limits, TooLarge, decode

LIMITS = dataclasses.replace(UPLOAD, formats=("JPEG", "PNG", "WEBP"))
"""10 MB, 25 million pixels, 8,192 on a side, and the three formats that pages and phones send."""
FRAME = 65_536
"""Bytes beyond the picture's that a multipart form may have for its own lines."""
FIELD = "image"
RAW = ("application/octet-stream",)


def content(request: flask.Request, limits: Limits) -> bytes:
    """The bytes of the picture: the file in the field "image" of a multipart form, or the body itself.

    Raises 413 by the length that the request announces, before it is read; 415 for a body of another type; 422 without a picture.
    """
    length, kind = request.content_length, request.mimetype
    multipart = kind == "multipart/form-data"
    if length is not None and length > limits.bytes + FRAME * multipart:
        raise RequestEntityTooLarge(f"wanted a picture of at most {limits.bytes / 1e6:g} MB, got a body of {length / 1e6:.1f} MB")
    if multipart:
        files = request.files.getlist(FIELD)
        if len(files) != 1:
            got = f"{len(files)} files in it" if files else f"{len(request.files)} files in other fields"
            raise UnprocessableEntity(f'wanted one picture in the field "{FIELD}" of the form, got {got}')
        return files[0].read(limits.bytes + 1)
    if kind and not kind.startswith("image/") and kind not in RAW:
        wanted = f'image/jpeg, image/png, image/webp, {RAW[0]}, or a multipart form with the field "{FIELD}"'
        raise UnsupportedMediaType(f"a body of this Content-Type is not accepted; wanted {wanted}")
    data = request.get_data(cache=False)
    if not data:
        raise UnprocessableEntity(f'the request has no body; send a picture as it is, or as the field "{FIELD}" of a multipart form')
    return data


def picture(data: bytes, limits: Limits) -> np.ndarray:
    """Bytes -> uint8 (h, w, 3), upright by its EXIF. Raises 413 for too many bytes or, read in the header, pixels; 415 for no picture."""
    try:
        return decode(data, limits=limits)
    except TooLarge as error:
        raise RequestEntityTooLarge(f"the picture is too large: {error.reason}") from error
    except ImageError as error:
        wanted = f"{', '.join(limits.formats[:-1])} or {limits.formats[-1]}"
        raise UnsupportedMediaType(f"wanted a {wanted} picture, but this cannot be used: {error.reason}") from error
