"""Configs and arrays small enough that a test takes a second."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import config, nets


def tiny_config(net: str = "cifar_resnet20", **overrides: Any):
  """A few steps of a ResNet-8 of 4, 8 and 16 channels on the digits; keys as section__field."""
  axes = {"depth": 8, "width": 0.25} if net == "cifar_resnet20" else {}
  c = config.base(net, "digits", **axes)
  c.data.image_size = 8
  c.optim.lr = 0.05
  c.train.batch = 32
  c.train.steps = 8
  c.train.log_every = 2
  c.train.checkpoint_every = 3
  c.eval.every = 4
  for key, value in overrides.items():
    config.override(c, key.replace("__", "."), value)
  config.check(c)
  return c


def tiny_net(**fields: Any) -> nets.Net:
  """A ResNet-8 for 3 classes."""
  values = {"depth": 8, "width": 0.25, "classes": 3} | fields
  return nets.build("cifar_resnet20", **values)


def tiny_batch(count: int = 8, size: int = 8, classes: int = 3, seed: int = 0):
  """A batch as the data room yields it, of random pixels and labels."""
  draw = np.random.default_rng(seed)
  return {
    "image": jnp.asarray(draw.integers(0, 256, (count, size, size, 1)), jnp.uint8),
    "label": jnp.asarray(draw.integers(0, classes, count), jnp.int32),
    "position": jnp.arange(count, dtype=jnp.uint32),
  }


def plain_prepare(classes: int = 3):
  """Scales pixels to -1..1; no augmentation."""

  def prepare(key, batch):
    del key
    images = batch["image"].astype(jnp.float32) / 127.5 - 1.0
    return images, jax.nn.one_hot(batch["label"], classes)

  return prepare


def distance(a: Any, b: Any) -> float:
  """Largest absolute difference between two trees of arrays."""
  gaps = jax.tree.map(lambda x, y: float(np.abs(np.asarray(x) - np.asarray(y)).max()), a, b)
  return max(jax.tree.leaves(gaps))
