"""What is measured on a net outside any run descends on: digits, and a loss."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
  import jax


def digits(count: int) -> tuple["jax.Array", "jax.Array"]:
  """The first training images [count, 8, 8, 1] of the digits, from -1 to 1, and labels [count]."""
  import jax.numpy as jnp

  from jaxnets import data

  source = data.load("digits", "train", validation=0.1, image_size=8)
  assert source.images is not None
  images = jnp.asarray(source.images[:count], jnp.float32) / 127.5 - 1.0
  return images, jnp.asarray(source.labels[:count])


def cross_entropy(logits: "jax.Array", labels: "jax.Array") -> "jax.Array":
  """The mean over a batch, of logits [batch, classes] and labels [batch]."""
  import optax

  return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
