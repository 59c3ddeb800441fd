"""From a dataset's batches to what the net sees: augmented, resized, normalised, on the device."""

import jax
import jax.numpy as jnp

from jaxnets.data import augment
from jaxnets.data.records import Source
from jaxnets.data.statistics import channel_statistics, mean_image
from jaxnets.errors import ConfigError
from jaxnets.train.step import Batch, Prepare


def make_prepares(
  source: Source,
  *,
  classes: int,
  image_size: int,
  normalise: str,
  crop: str,
  pad: int,
  crop_area: tuple[float, float],
  crop_aspect: tuple[float, float],
  flip: bool,
  lighting: float,
  colour: float,
  cutout: int,
  mixup: float,
  cutmix: float,
) -> tuple[Prepare, Prepare]:
  """The preparation of training batches and that of evaluation batches.

  Args:
    source: the training images; their statistics normalise all splits.
    classes: length of the targets.
    image_size: side of the images the net gets, px; images of another size are resampled.
    normalise: "channel": mean and deviation of each channel; "pixel": the mean image is
      subtracted and everything divided by the overall deviation.

  The others are fields of config section data.
  """
  in_memory = source.images is not None
  name, channels = source.info.name, source.info.channels
  if in_memory and crop in ("scale_jitter", "fixed"):
    raise ConfigError(
      f"data.crop (={crop}) resizes photos of many sizes, but all of {name} have one\n"
      "Use data.crop=pad, random_resized or none"
    )
  if not in_memory and crop in ("pad", "none"):
    raise ConfigError(
      f"data.crop (={crop}) needs images of one size, but those of {name} vary\n"
      "Use data.crop=random_resized, scale_jitter or fixed"
    )
  if lighting and channels != 3:
    raise ConfigError(
      f"data.lighting (={lighting}) shifts colours, but {name} has {channels} channel"
    )
  channel_mean, std = channel_statistics(source)
  mean, std = jnp.asarray(channel_mean), jnp.asarray(std)
  if normalise == "pixel":
    mean, std = jnp.asarray(mean_image(source)), std.mean()
    mean = augment.resize(mean[None], image_size)[0]
  options = {
    # Streamed images were cut on the host, while they were decoded.
    "crop_area": crop_area if crop == "random_resized" and in_memory else (),
    "crop_aspect": crop_aspect,
    "pad": pad if crop == "pad" else 0,
    "flip": flip,
    "colour": colour,
    "lighting": lighting,
    "cutout": cutout,
    # Padding with the mean is padding with zeros after the mean is subtracted.
    "fill": jnp.asarray(channel_mean),
  }

  def finish(images: jax.Array) -> jax.Array:
    return augment.normalise(augment.resize(images, image_size), mean, std)

  def prepare_training(key: jax.Array, batch: Batch):
    images = finish(augment.augment(key, batch, **options))
    target = jax.nn.one_hot(batch["label"], classes)
    # One draw for a batch, from the position of its first image.
    key = jax.random.fold_in(jax.random.fold_in(key, 0x6D6978), batch["position"][0])
    if mixup and cutmix:
      choose, key = jax.random.split(key)
      mixed, cut = (
        augment.mixup(key, images, target, mixup),
        augment.cutmix(key, images, target, cutmix),
      )
      return jax.tree.map(lambda a, b: jnp.where(jax.random.bernoulli(choose), a, b), mixed, cut)
    if mixup:
      return augment.mixup(key, images, target, mixup)
    if cutmix:
      return augment.cutmix(key, images, target, cutmix)
    return images, target

  def prepare_evaluation(key: jax.Array, batch: Batch):
    del key  # nothing is random
    return finish(batch["image"]), jax.nn.one_hot(batch["label"], classes)

  return prepare_training, prepare_evaluation
