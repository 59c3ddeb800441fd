"""Losses and accuracies as sums over images, so that batches of any size add up exactly."""

import jax
import jax.numpy as jnp
import optax

Sums = dict[str, jax.Array]  # loss, top1, top5, count: float32 scalars


def cross_entropy(logits: jax.Array, target: jax.Array) -> jax.Array:
  """-sum target log softmax(logits): [batch, classes], [batch, classes] -> [batch], nats."""
  return optax.softmax_cross_entropy(logits, target)


def smooth(target: jax.Array, share: float | jax.Array) -> jax.Array:
  """Spreads `share` of every target over all classes. Szegedy et al. 2015b, section 7."""
  return optax.smooth_labels(target, share)


def correct(logits: jax.Array, label: jax.Array, k: int) -> jax.Array:
  """Whether the label is among the k largest logits: -> float32 [batch].

  A class counts as larger when its logit is, or is equal and its number is smaller, so that ties
  are not won for free. With fewer than k classes every label is among them.
  """
  own = jnp.take_along_axis(logits, label[:, None], axis=1)
  classes = jnp.arange(logits.shape[1])
  ahead = (logits > own) | ((logits == own) & (classes < label[:, None]))
  # A NaN compares as neither, and must not count as correct.
  return ((ahead.sum(1) < k) & jnp.isfinite(own[:, 0])).astype(jnp.float32)


def sums(logits: jax.Array, label: jax.Array, loss: jax.Array, mask: jax.Array) -> Sums:
  """Loss, top-1, top-5 and count over the images whose mask is set.

  Args:
    logits: float32 [batch, classes].
    label: int32 [batch].
    loss: float32 [batch], nats.
    mask: bool [batch].
  """
  weight = mask.astype(jnp.float32)
  return {
    "loss": jnp.where(mask, loss, 0.0).sum(),
    "top1": (correct(logits, label, 1) * weight).sum(),
    "top5": (correct(logits, label, 5) * weight).sum(),
    "count": weight.sum(),
  }
