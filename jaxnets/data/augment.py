"""Augmentations on the device: pure functions of (key, image).

An image is float32 [h, w, c], 0..255, before normalisation. The functions of one image are
mapped over keys that `image_keys` derives from stream positions, so that what happens to an image
depends on (seed, position) alone, never on batch, devices or hosts.
"""

import math
from collections.abc import Mapping
from functools import partial

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
# ITU-R BT.601 luma, in 256ths.
_LUMA = (77 / 256, 150 / 256, 29 / 256)
_ATTEMPTS = 10
# GoogLeNet section 6.
_ASPECT = (3 / 4, 4 / 3)


def image_keys(key: Array, position: Array) -> Array:
  """Keys [batch] of the images at stream positions, uint32 [batch]."""
  return jax.vmap(jax.random.fold_in, (None, 0))(key, position)


def augment(
  key: Array,
  batch: Mapping[str, Array],
  *,
  crop_area: tuple[float, ...] = (),
  crop_aspect: tuple[float, float] = _ASPECT,
  pad: int = 0,
  flip: bool = False,
  colour: float = 0.0,
  lighting: float = 0.0,
  cutout: int = 0,
  fill: float | Array = 0.0,
) -> Array:
  """The augmented images of a batch, float32 [batch, h, w, c], 0..255 (lighting may leave it).

  In this order: crop_area, pad, flip, colour, lighting, cutout; 0, False and () are off. Every
  operation has keys of its own: turning one on moves no other's draws.

  Args:
    key: of the run.
    batch: {"image": uint8 [batch, h, w, c], "position": uint32 [batch]}.
    crop_area: (least, largest) share of `random_resized_crop`, to the stored size (square).
    crop_aspect: its (least, largest) width / height.
    pad: px of `pad_crop`.
    flip: mirror half of the images.
    colour: strength of brightness, contrast and saturation alike, in [0, 1].
    lighting: sigma of `lighting`; 0.1 in AlexNet.
    cutout: side of the square of `cutout`, px.
    fill: value of padding and cutout, scalar or [1, 1, c]; the mean gives the zeros of papers
      that pad after subtracting it.
  """
  images = batch["image"].astype(jnp.float32)
  keys = image_keys(key, batch["position"])
  crop = (crop_area, crop_aspect) if crop_area else ()
  options = (crop, pad, flip, colour, lighting, cutout)
  for number, (value, operation) in enumerate(zip(options, _OPERATIONS, strict=True)):
    if value:
      own = jax.vmap(jax.random.fold_in, (0, None))(keys, number)
      images = jax.vmap(partial(operation, value=value, fill=fill))(own, images)
  return images


def pad_crop(key: Array, image: Array, pad: int, fill: float | Array = 0.0) -> Array:
  """A crop of the stored size from the image with `pad` px of `fill` on each side.

  He et al. 2015, section 4.2, with pad 4; it follows Lee et al. 2014 (Deeply-Supervised Nets).
  """
  height, width, channels = image.shape
  canvas = jnp.broadcast_to(
    jnp.asarray(fill, image.dtype), (height + 2 * pad, width + 2 * pad, channels)
  )
  canvas = canvas.at[pad : pad + height, pad : pad + width].set(image)
  top, left = jax.random.randint(key, (2,), 0, 2 * pad + 1)
  return jax.lax.dynamic_slice(canvas, (top, left, 0), image.shape)


def random_resized_crop(
  key: Array,
  image: Array,
  size: int,
  area: tuple[float, float] = (0.08, 1.0),
  aspect: tuple[float, float] = _ASPECT,
) -> Array:
  """A crop of share U[area] and log aspect U[log aspect], resampled to [size, size, c].

  Bilinear, antialiased. The first of ten draws that fits, else the largest central crop of an
  allowed aspect. Szegedy et al. 2014, section 6.
  """
  height, width, channels = image.shape
  low, high = jnp.array([(area[0], math.log(aspect[0])), (area[1], math.log(aspect[1]))])
  shape_key, place_key = jax.random.split(key)
  share, log_aspect = jax.random.uniform(shape_key, (_ATTEMPTS, 2), minval=low, maxval=high).T
  h = jnp.sqrt(share * height * width / jnp.exp(log_aspect))
  w = jnp.sqrt(share * height * width * jnp.exp(log_aspect))
  fits = (h <= height) & (w <= width)
  first = jnp.argmax(fits)
  nearest = min(max(width / height, aspect[0]), aspect[1])
  h = jnp.where(fits.any(), h[first], min(height, width / nearest))
  w = jnp.where(fits.any(), w[first], min(width, height * nearest))
  place = jnp.where(fits.any(), jax.random.uniform(place_key, (2,)), 0.5)
  scale = size / jnp.stack([h, w])
  corner = place * jnp.stack([height - h, width - w])
  return jax.image.scale_and_translate(
    image, (size, size, channels), (0, 1), scale, -corner * scale, "linear", antialias=True
  )


def flip(key: Array, image: Array) -> Array:
  """The image, mirrored left to right with probability 1/2."""
  return jnp.where(jax.random.bernoulli(key), image[:, ::-1], image)


def lighting(key: Array, image: Array, sigma: float) -> Array:
  """The image plus one draw along ImageNet's principal colour components; not clipped.

  Adds 255 * sum_i alpha_i * eigenvalue_i * eigenvector_i, alpha ~ N(0, sigma^2), to every pixel.
  Krizhevsky et al. 2012, section 4.1, with sigma 0.1.
  """
  alpha = sigma * jax.random.normal(key, (3,))
  # Products and sums rather than a matmul: no reduced precision on any accelerator.
  shift = jnp.array(EIGENVECTORS) * (alpha * (255 * jnp.array(EIGENVALUES)))
  return image + jnp.sum(shift, axis=1)


def colour(
  key: Array, image: Array, brightness: float, contrast: float, saturation: float
) -> Array:
  """Photometric distortion: each strength s draws a factor U[1 - s, 1 + s]; whole numbers 0..255.

  Brightness scales the image, contrast its distance from the mean luma, saturation its distance
  from its own luma, in this order (Howard 2013, in the form of torchvision's ColorJitter). RGB.
  As in 8-bit pipelines every step is rounded; with factors in 256ths all arithmetic is exact, so
  that a compiler that fuses multiply and add differently for another batch changes no bit.
  """
  draws = 2 * jax.random.uniform(key, (3,)) - 1
  strengths = jnp.array([brightness, contrast, saturation])
  bright, sharp, vivid = 1 + jnp.round(256 * (draws * strengths)) / 256
  image = _byte(_byte(image) * bright)
  height, width, _ = image.shape
  mean = jnp.round(jnp.int32(_luma(image)).sum() / (height * width))
  image = _byte(mean + (image - mean) * sharp)
  grey = _luma(image)
  return _byte(grey + (image - grey) * vivid)


def cutout(key: Array, image: Array, size: int, fill: float | Array = 0.0) -> Array:
  """The image with a size x size square of `fill`, centred anywhere, cut at the border.

  DeVries and Taylor 2017.
  """
  height, width, _ = image.shape
  centre = jax.random.randint(key, (2,), 0, jnp.array([height, width]))
  rows = _within(height, centre[0] - size // 2, size)
  columns = _within(width, centre[1] - size // 2, size)
  return jnp.where((rows[:, None] & columns)[..., None], fill, image)


def mixup(key: Array, images: Array, labels: Array, alpha: float) -> tuple[Array, Array]:
  """Images and soft labels blended with those of the next row, one Beta(alpha, alpha) a batch.

  Args:
    key: of the step.
    images: float [batch, h, w, c].
    labels: float [batch, classes].
    alpha: > 0.
  Zhang et al. 2017, with the batch rolled by one in place of a permutation.
  """
  share = jax.random.beta(key, alpha, alpha)
  return _blend(images, share), _blend(labels, share)


def cutmix(key: Array, images: Array, labels: Array, alpha: float) -> tuple[Array, Array]:
  """A box of the next row's image pasted in, labels mixed by the area that is left.

  One box a batch: sides sqrt(1 - share), share ~ Beta(alpha, alpha), centred anywhere, cut at
  the border. Yun et al. 2019. Arguments as for `mixup`.
  """
  share_key, centre_key = jax.random.split(key)
  height, width = images.shape[1:3]
  side = jnp.sqrt(1 - jax.random.beta(share_key, alpha, alpha))
  h, w = jnp.int32(side * height), jnp.int32(side * width)
  centre = jax.random.randint(centre_key, (2,), 0, jnp.array([height, width]))
  rows = _within(height, centre[0] - h // 2, h)
  columns = _within(width, centre[1] - w // 2, w)
  box = rows[:, None] & columns
  share = 1 - box.mean()
  mixed = jnp.where(box[..., None], jnp.roll(images, 1, axis=0), images)
  return mixed, _blend(labels, share)


def normalise(images: Array, mean: Array, std: Array) -> Array:
  """(images - mean) / std, float32; mean and std broadcast to [h, w, c], in 0..255."""
  return (images.astype(jnp.float32) - mean) / std


def resize(images: Array, size: int) -> Array:
  """Images [batch, h, w, c] resampled to float32 [batch, size, size, c], bilinear, antialiased."""
  images = images.astype(jnp.float32)
  batch, height, width, channels = images.shape
  if height == width == size:
    return images
  return jax.image.resize(images, (batch, size, size, channels), "linear", antialias=True)


def _byte(values: Array) -> Array:
  return jnp.clip(jnp.round(values), 0, 255)


def _luma(image: Array) -> Array:
  """The luma of whole numbers as a whole number, [h, w, 1]."""
  return jnp.round(jnp.sum(image * jnp.array(_LUMA), axis=-1, keepdims=True))


def _within(length: int, start: Array, size) -> Array:
  """Which of `length` places lie in [start, start + size), bool [length]."""
  places = jnp.arange(length)
  return (places >= start) & (places < start + size)


def _blend(rows: Array, share: Array) -> Array:
  return share * rows + (1 - share) * jnp.roll(rows, 1, axis=0)


# In the order of `augment`; a row's place is part of its keys.
_OPERATIONS = (
  lambda key, image, value, fill: random_resized_crop(key, image, image.shape[0], *value),
  lambda key, image, value, fill: pad_crop(key, image, value, fill),
  lambda key, image, value, fill: flip(key, image),
  lambda key, image, value, fill: colour(key, image, value, value, value),
  lambda key, image, value, fill: lighting(key, image, value),
  lambda key, image, value, fill: cutout(key, image, value, fill),
)
