"""Shapes that do not fit are refused before anything is traced, in the same words in every form."""


def check_images(image) -> None:
  """Refuses what is not [batch, height, width, channels]."""
  if image.ndim != 4:
    raise ValueError(f"images (={image.shape}) must be [batch, height, width, channels]")


def check_shape(name: str, array, shape: tuple[int, ...]) -> None:
  """Refuses an array of another shape; None is no array."""
  if array is not None and tuple(array.shape) != tuple(shape):
    raise ValueError(f"{name} (={tuple(array.shape)}) must be {tuple(shape)}")


def all_float32(*arrays) -> bool:
  """Whether all arrays, besides those that are None, hold numbers, and all of them float32."""
  return all(a is None or (a.dtype == "float32" and a.size > 0) for a in arrays)
