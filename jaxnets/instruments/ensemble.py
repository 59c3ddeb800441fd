"""Dropout as an average over the nets that its masks make.

Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting",
sections 1 and 7.5; Hinton et al. 2012 (1207.0580).
"""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.errors import ConfigError
from jaxnets.nets import Net

MOST = 16  # units whose masks are enumerated: 65,536 of them


def over_all_masks(
  function: Callable[[jax.Array], jax.Array], x: jax.Array, rate: float
) -> tuple[jax.Array, jax.Array]:
  """What a function gives under each of the 2^n masks of its input, and how likely each mask is.

  Args:
    function: of a masked x, its kept values divided by 1 - rate, as in training.
    x: [n], n at most 16.
    rate: probability that a value is dropped, at least 0 and below 1.

  Returns:
    results [2^n, ...] and chances float32 [2^n], whose sum is 1.

  Raises:
    ConfigError: n or the rate is out of range.
  """
  (n,) = x.shape
  if n > MOST:
    raise ConfigError(f"units (={n}) must be at most {MOST}: they have 2^n masks")
  if not 0 <= rate < 1:
    raise ConfigError(f"rate (={rate}) must be at least 0 and below 1")
  masks = np.array(list(itertools.product((False, True), repeat=n)))
  kept = masks.sum(1)
  chances = (1 - rate) ** kept * rate ** (n - kept)
  results = jax.lax.map(lambda mask: function(jnp.where(mask, x / (1 - rate), 0.0)), masks)
  return results, jnp.asarray(chances, jnp.float32)


def masked_logits(
  net: Net,
  params: Any,
  stats: Any,
  images: jax.Array,
  key: jax.Array,
  masks: int = 50,
  *,
  dropout: jax.typing.ArrayLike | None = None,
) -> jax.Array:
  """The logits under masks drawn at random, float32 [masks, batch, classes].

  The mean of their softmax is the ensemble's; `net.apply` gives that of weight scaling.

  Args:
    images: [batch, height, width, channels].
    key: of the masks.
    masks: how many.
    dropout: rate in place of the net's own; it may be traced.

  Raises:
    ConfigError: the net has no dropout; or batch norm, which in training uses other moments.
  """
  check(net)

  def one(key):
    return net.apply(params, stats, images, train=True, key=key, dropout=dropout).logits

  return jax.lax.map(one, jax.random.split(key, masks))


def mean_of_masks(logits: jax.Array) -> jax.Array:
  """The ensemble's logits, log of the mean softmax: [masks, batch, classes] -> [batch, classes]."""
  return jax.nn.logsumexp(jax.nn.log_softmax(logits), axis=0) - jnp.log(len(logits))


def check(net: Net) -> None:
  """Refuses a net whose masks are no ensemble; ConfigError, as `masked_logits`."""
  if not net.fields.get("dropout"):
    raise ConfigError(f"{net.name} has no dropout\nSet net.dropout, for example to 0.5")
  if net.fields.get("norm") == "batch":
    raise ConfigError(
      f"net.norm (=batch) of {net.name} uses the batch's moments wherever dropout drops, so that "
      "masks would not be all that differs\nUse net.norm=none or group"
    )
