"""The measured time of one image at inference."""

import statistics
import time
from typing import Any

import jax

from jaxnets.data import Source
from jaxnets.data.batches import eval_batch
from jaxnets.train import mesh as meshes
from jaxnets.train.evaluate import batch_of
from jaxnets.train.experiment import Experiment
from jaxnets.train.state import State, evaluated

REPEATS = 3  # as many on every host, which compute together


def measure(experiment: Experiment, state: State, source: Source) -> dict[str, Any]:
  """What run.json says of inference; to be called after `evaluate`, which has compiled the step.

  The first batch of a split is evaluated again, from its bytes in the host's memory to its sums
  there, and what they are is dropped. Reading and decoding are left out.

  Returns:
    seconds_per_image, the median over REPEATS by the images of a batch; batch, over all devices.
  """
  section, batch = experiment.config.data, batch_of(experiment)
  rows = eval_batch(
    source, 0, batch=batch, host=meshes.host(), image_size=section.image_size,
    short_side=section.image_size * experiment.config.eval.scale,
  )  # fmt: skip
  seconds = []
  for _ in range(REPEATS):
    start = time.perf_counter()
    images = meshes.global_batch(experiment.mesh, rows)
    jax.device_get(experiment.eval_step(evaluated(state), state.stats, images, jax.random.key(0)))
    seconds.append(time.perf_counter() - start)
  return {"seconds_per_image": statistics.median(seconds) / batch, "batch": batch}
