"""The order in which images are seen: a pure function of (seed, epoch).

Everything random here and in `crops` is read from Philox's raw 64-bit words, whose stream numpy
keeps for good; `Generator.permutation` and `uniform` may change with a numpy release (NEP 19).
"""

from functools import lru_cache

import numpy as np

_WORD = 2**64


def words(seed: int, epoch: int, index: int, count: int) -> np.ndarray:
  """`count` random 64-bit words that belong to (seed, epoch, index), uint64 [count]."""
  key = np.array([seed % _WORD, epoch % _WORD], np.uint64)
  # Philox counts up in the lowest counter word, so a draw per index never meets another's.
  counter = np.array([0, 0, index, 0], np.uint64)
  return np.random.Philox(key=key, counter=counter).random_raw(count)


@lru_cache(maxsize=4)
def permutation(seed: int, epoch: int, count: int) -> np.ndarray:
  """The order of `count` images in one epoch, int64 [count], read-only."""
  # Sorting 64-bit words: a tie needs about 2^32 images, and a stable sort settles it anyway.
  order = np.argsort(words(seed, epoch, 0, count), kind="stable")
  order.flags.writeable = False
  return order


def indices(seed: int, positions: np.ndarray, count: int) -> np.ndarray:
  """The images at global stream positions: epoch p // count, place p % count.

  Args:
    seed: any integer.
    positions: integers >= 0, any shape.
    count: number of images in the set, > 0.
  Returns:
    int64, the shape of `positions`, each in [0, count).
  """
  epochs, places = np.divmod(np.asarray(positions, np.int64), count)
  out = np.empty_like(places)
  for epoch in np.unique(epochs):
    here = epochs == epoch
    out[here] = permutation(seed, int(epoch), count)[places[here]]
  return out
