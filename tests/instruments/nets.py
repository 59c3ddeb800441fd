"""Nets small enough that a test takes a second."""

import jax

from jaxnets import nets


def drawn(name: str, side: int = 8, images: int = 4, channels: int = 3, **fields):
  """(net for 3 classes, params, stats, images) at seed 0."""
  net = nets.build(name, classes=3, **fields)
  params, stats = net.init(jax.random.key(0), (1, side, side, channels))
  return net, params, stats, jax.random.normal(jax.random.key(1), (images, side, side, channels))


def chosen(logits):
  """A loss: minus the mean log-probability of class 0."""
  return -jax.nn.log_softmax(logits)[:, 0].mean()
