"""Sources -> batches of uint8 arrays; every batch is a pure function of (seed, step).

Row r of step s is the image at stream position s * batch + r, whatever the number of hosts and
workers and wherever the stream is entered; epochs follow each other without a seam.
"""

import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from jaxnets.data import crops, decode, order
from jaxnets.data.crops import Crop
from jaxnets.data.records import Source
from jaxnets.errors import ConfigError, DataError

Batch = dict[str, np.ndarray]
# Decoding threads of a stream without worker processes; Pillow decodes outside the GIL.
_THREADS = 16
# Host crops have their own words, apart from those of the order (which has index 0).
_CROP_SALT = 0x63726F70


def train_batches(
  source: Source,
  *,
  seed: int,
  batch: int,
  start_step: int = 0,
  steps: int | None = None,
  host: tuple[int, int] = (0, 1),
  workers: int = 0,
  image_size: int | None = None,
  crop: Crop | str = "random_resized",
) -> Iterator[Batch]:
  """Batches start_step, start_step + 1, ... of the shuffled, endless stream.

  Yields {"image": uint8 [batch / hosts, h, w, c], "label": int32 [batch / hosts], "position":
  uint32 [batch / hosts]}: host i of n has the rows [i * batch / n, (i + 1) * batch / n).

  Args:
    source: images; those in memory come as stored, streamed ones are cut to image_size.
    seed: of order and crops.
    batch: images in a step, over all hosts.
    start_step: first step.
    steps: how many; None never ends.
    host: (this host, number of hosts).
    workers: processes that decode a stream; 0 decodes in threads of this one. Workers are
      spawned: the script needs its `if __name__ == "__main__"`.
    image_size: side of streamed images, px; None is that of the source.
    crop: kind or `Crop` of streamed images.
  Raises:
    ConfigError: batch not divisible by hosts, a value out of range.
    DataError: an image cannot be read; names set, index and file.
  """
  image_size = _checked(source, batch, host, workers, image_size)
  if start_step < 0 or (steps is not None and steps < 0):
    raise ConfigError(f"start_step and steps must be 0 or more, got {start_step} and {steps}")
  make = partial(
    train_batch,
    source,
    seed=seed,
    batch=batch,
    host=host,
    image_size=image_size,
    crop=crops.checked(crop, image_size),
  )
  stop = None if steps is None else start_step + steps
  return _stream(source, make, start_step, stop, workers)


def train_batch(
  source: Source,
  step: int,
  *,
  seed: int,
  batch: int,
  host: tuple[int, int],
  image_size: int,
  crop: Crop,
) -> Batch:
  """The batch of one step; see `train_batches`."""
  positions = _rows(step, batch, host)
  count = len(source.labels)
  rows = order.indices(seed, positions, count)
  if source.images is not None:
    images = source.images[rows]
  else:
    salted = seed + _CROP_SALT
    words = [
      order.words(salted, int(p) // count, int(i), crops.DRAWS)
      for p, i in zip(positions, rows, strict=True)
    ]
    boxes = [
      lambda width, height, w=w: crops.train_box(crop, w, width, height, image_size) for w in words
    ]
    images = _cut(source, rows, boxes, image_size)
  return {"image": images, "label": source.labels[rows], "position": positions.astype(np.uint32)}


def eval_batches(
  source: Source,
  *,
  batch: int,
  host: tuple[int, int] = (0, 1),
  workers: int = 0,
  image_size: int | None = None,
  short_side: float | None = None,
) -> Iterator[Batch]:
  """Every image once over all hosts, in stored order.

  Yields {"image": uint8 [batch / hosts, h, w, c], "label": int32, "mask": bool [batch / hosts]};
  all hosts get the same number of batches, the last padded with rows of mask False.

  Args:
    source: as in `train_batches`, like batch, host, workers and image_size.
    batch: images in a step, over all hosts.
    host: (this host, number of hosts).
    workers: processes that decode a stream.
    image_size: side of streamed images, px.
    short_side: streamed images are resized to it before the central crop, px; None is
      image_size * 256 / 224 (the single crop of AlexNet, VGG and ResNet).
  Raises:
    ConfigError: batch not divisible by hosts, a value out of range.
    DataError: an image cannot be read.
  """
  image_size = _checked(source, batch, host, workers, image_size)
  short_side = image_size * 256 / 224 if short_side is None else short_side
  if short_side < image_size:
    raise ConfigError(f"short_side (={short_side}) must be at least image_size (={image_size})")
  make = partial(
    eval_batch, source, batch=batch, host=host, image_size=image_size, short_side=short_side
  )
  return _stream(source, make, 0, -(-len(source.labels) // batch), workers)


def eval_batch(
  source: Source,
  step: int,
  *,
  batch: int,
  host: tuple[int, int],
  image_size: int,
  short_side: float,
) -> Batch:
  """The batch of one step; see `eval_batches`."""
  positions = _rows(step, batch, host)
  # Padding repeats the last image: finite numbers, and one shape for the compiled program.
  rows = np.minimum(positions, len(source.labels) - 1)
  if source.images is not None:
    images = source.images[rows]
  else:
    box = partial(crops.centre_box, short_side, size=image_size)
    images = _cut(source, rows, [box] * len(rows), image_size)
  return {"image": images, "label": source.labels[rows], "mask": positions < len(source.labels)}


def _checked(source: Source, batch: int, host, workers: int, image_size: int | None) -> int:
  index, hosts = host
  if batch < 1 or batch % hosts:
    raise ConfigError(
      f"batch (={batch}) must be a positive multiple of hosts (={hosts}); "
      f"nearest: {max(batch // hosts, 1) * hosts}"
    )
  if not 0 <= index < hosts:
    raise ConfigError(f"host must be (index, hosts) with 0 <= index < hosts, got {host}")
  if workers < 0:
    raise ConfigError(f"workers must be 0 or more, got {workers}")
  if image_size is not None and image_size < 1:
    raise ConfigError(f"image_size must be at least 1 px, got {image_size}")
  return source.info.image_size if image_size is None else image_size


def _rows(step: int, batch: int, host: tuple[int, int]) -> np.ndarray:
  """This host's stream positions of a step, int64 [batch / hosts]."""
  local = batch // host[1]
  return step * batch + host[0] * local + np.arange(local)


def _cut(source: Source, rows: np.ndarray, boxes: list, size: int) -> np.ndarray:
  out = np.empty((len(rows), size, size, source.info.channels), np.uint8)
  assert source.records is not None
  for slot, row, box in zip(out, rows, boxes, strict=True):
    encoded, file = source.records(int(row))
    where = f"{source.info.name} {source.split} image {row} ({file})"
    slot[:] = decode.cut(encoded, source.info.channels, where, box, size)
  return out


def _stream(
  source: Source, make: Callable[[int], Batch], start: int, stop: int | None, workers: int
) -> Iterator[Batch]:
  if source.images is not None:
    steps: Iterable[int] = itertools.count(start) if stop is None else range(start, stop)
    return map(make, steps)
  return _grain(partial(_or_error, make), start, sys.maxsize if stop is None else stop, workers)


def _or_error(make: Callable[[int], Batch], step: int):
  # Errors travel as values: across processes an exception would lose its class.
  try:
    return make(step)
  except DataError as error:
    return str(error)


def _grain(make: Callable[[int], Batch | str], start: int, stop: int, workers: int):
  """make(start), ..., make(stop - 1), made ahead by threads or by `workers` processes."""
  import grain
  from absl import flags

  # grain reads absl's global flags, which a program that is no absl app never parses.
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()
  threads = 1 if workers else min(_THREADS, os.cpu_count() or 1)
  options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
  batches = grain.MapDataset.range(start, stop).map(make).to_iter_dataset(options)
  if workers:
    batches = batches.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers))
  iterator = iter(batches)
  try:
    for batch in iterator:
      if isinstance(batch, str):
        raise DataError(batch)
      yield batch
  finally:
    iterator.close()  # ends threads and processes of a stream that is left early
