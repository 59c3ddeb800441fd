"""Real train steps of a config on this machine, beside the least time that they could take."""

from typing import Any

import jax
import numpy as np

from jaxnets.cost import devices, timing
from jaxnets.errors import ConfigError
from jaxnets.train import mesh as meshes
from jaxnets.train.estimate import Estimate, abstract_batch, bound_step, init_of, make_step
from jaxnets.train.experiment import name_net
from jaxnets.train.step import jit_step


def measure(estimate: Estimate, steps: int) -> dict[str, Any]:
  """Compiles the step of the estimate's subject and times `steps` of them, on random images.

  Returns:
    device, kernels, the quartiles of the measured seconds, images per second, seconds of the bound
    on this device, and how many times the bound the median is. The bound is None for devices whose
    peaks are not known.

  Raises:
    ConfigError: fewer devices here than the subject has.
  """
  subject, config = estimate.subject, estimate.subject.config
  here = jax.devices()
  if len(here) < subject.devices:
    raise ConfigError(f"--devices (={subject.devices}) is more than there are here ({len(here)})")
  mesh = meshes.make_mesh(here[: subject.devices])
  net = name_net(config, subject.classes)
  init = jax.jit(init_of(subject, net), out_shardings=meshes.replicated(mesh))
  state = init(jax.random.key(0))
  draw, shapes = np.random.default_rng(0), abstract_batch(subject, config.train.batch)
  batch = meshes.global_batch(mesh, {
    "image": draw.integers(0, 256, shapes["image"].shape, np.uint8),
    "label": draw.integers(0, subject.classes, shapes["label"].shape, np.int32),
  })  # fmt: skip
  step = jit_step(make_step(subject, net), mesh)
  key = jax.random.key(1)

  def run() -> Any:
    nonlocal state
    state, metrics = step(state, batch, key)
    return state, metrics

  times = timing.time_steps(run, steps)
  found: dict[str, Any] = times._asdict()
  found["device"] = here[0].device_kind
  found["images_per_second"] = config.train.batch / times.measured_seconds
  found["bound_seconds"] = found["times_the_bound"] = None
  try:
    device = devices.find(here[0].device_kind if here[0].platform != "cpu" else "cpu")
  except ConfigError:
    return found
  bound = bound_step(estimate, device)
  ratio = timing.compare(times, bound)
  return found | {"bound_seconds": bound.bound_seconds, "times_the_bound": ratio}
