"""Augmentations on the device: pure functions of (key, image).

An image is float32 [h, w, c], 0..255, before normalisation. The functions of one image are
mapped over keys that `image_keys` derives from stream positions, so that what happens to an image
depends on (seed, position) alone, never on batch, devices or hosts.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

Array = jax.Array

# Principal components of ImageNet's RGB values, of 0..1 pixels: eigenvalues, and eigenvectors in
# columns. AlexNet section 4.1 describes them; these are the numbers of fb.resnet.torch
# datasets/imagenet.lua, which most later work copies.
EIGENVALUES = (0.2175, 0.0188, 0.0045)
EIGENVECTORS = (
  (-0.5675, 0.7192, 0.4009),
  (-0.5808, -0.0045, -0.8140),
  (-0.5836, -0.6948, 0.4203),
)
# ITU-R BT.601 luma.
_LUMA = (0.299, 0.587, 0.114)
_ATTEMPTS = 10


def image_keys(key: Array, position: Array) -> Array:
  """Keys [batch] of the images at stream positions, uint32 [batch]."""
  return jax.vmap(jax.random.fold_in, (None, 0))(key, position)


def augment(
  key: Array,
  batch: Mapping[str, Array],
  *,
  crop_area: tuple[float, ...] = (),
  crop_aspect: tuple[float, float] = (3 / 4, 4 / 3),
  pad: int = 0,
  flip: bool = False,
  colour: float = 0.0,
  lighting: float = 0.0,
  cutout: int = 0,
  fill: float | Array = 0.0,
) -> Array:
  """The augmented images of a batch, float32 [batch, h, w, c].

  In this order: crop_area, pad, flip, colour, lighting, cutout; 0, False and () are off. Every
  operation has keys of its own: turning one on moves no other's draws.

  Args:
    key: of the run.
    batch: {"image": uint8 [batch, h, w, c], "position": uint32 [batch]}.
    crop_area: (least, largest) share of `random_resized_crop`, back to the stored size.
    crop_aspect: (least, largest) width / height of that crop.
    pad: px of `pad_crop`.
    flip: mirror half of the images.
    colour: strength of brightness, contrast and saturation alike.
    lighting: sigma of `lighting`, 0.1 in AlexNet.
    cutout: side of the square of `cutout`, px.
    fill: value of padding and cutout, scalar or broadcast to [h, w, c]; the mean gives the zeros
      of papers that pad after subtracting it.
  """
  images = batch["image"].astype(jnp.float32)
  height, width = images.shape[1:3]
  # One row per operation: (on, function of (key, image)); rows are numbered for their keys.
  operations: tuple[tuple[object, Callable[[Array, Array], Array]], ...] = (
    (
      crop_area,
      lambda k, x: random_resized_crop(k, x, (height, width), (*crop_area,), crop_aspect),
    ),
    (pad, lambda k, x: pad_crop(k, x, pad, fill)),
    (flip, random_flip),
    (colour, lambda k, x: jitter(k, x, colour, colour, colour)),
    (lighting, lambda k, x: light(k, x, lighting)),
    (cutout, lambda k, x: cut_out(k, x, cutout, fill)),
  )
  keys = image_keys(key, batch["position"])
  for number, (on, operation) in enumerate(operations):
    if on:
      own = jax.vmap(jax.random.fold_in, (0, None))(keys, number)
      images = jax.vmap(operation)(own, images)
  return images
