"""Encoded bytes -> pixels, with Pillow alone: the bits do not depend on what else is installed."""

import io
import struct
from collections.abc import Callable

import numpy as np

from jaxnets.data.crops import Box
from jaxnets.errors import DataError


def pixels(encoded: bytes, channels: int, where: str) -> np.ndarray:
  """The whole image, uint8 [h, w, channels].

  Raises:
    DataError: the bytes are no whole image; `where` says which.
  """
  return _decoded(encoded, channels, where, lambda image: image)


def cut(
  encoded: bytes, channels: int, where: str, box: Callable[[int, int], Box], size: int
) -> np.ndarray:
  """The box (width, height) -> box of an image, resampled to uint8 [size, size, channels].

  Bilinear, antialiased (Pillow widens the filter when it shrinks).

  Raises:
    DataError: the bytes are no whole image; `where` says which.
  """
  from PIL import Image

  def resampled(image):
    return image.resize((size, size), Image.Resampling.BILINEAR, box=box(*image.size))

  return _decoded(encoded, channels, where, resampled)


def _decoded(encoded: bytes, channels: int, where: str, change) -> np.ndarray:
  from PIL import Image

  try:
    with Image.open(io.BytesIO(encoded)) as image:
      limit = Image.MAX_IMAGE_PIXELS
      if limit and image.width * image.height > limit:
        raise DataError(
          f"{where}: {image.width}x{image.height} px is more than {limit} px, "
          "which may be a decompression bomb\nleave the file out, or store it smaller"
        )
      array = np.asarray(change(image.convert("RGB" if channels == 3 else "L")))
  # Pillow raises all of these for damaged files, by format; a bomb may come as a warning.
  except (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
  ) as error:
    raise DataError(
      f"{where}: cannot decode the image ({error})\nreplace or remove the file"
    ) from error
  return array.reshape(*array.shape[:2], channels)
