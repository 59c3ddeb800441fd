"""Real train steps of a config on this machine, beside the least time that they could take."""

from typing import Any

import jax
import numpy as np

from jaxnets.cost import devices, roofline, timing
from jaxnets.errors import ConfigError
from jaxnets.train import mesh as meshes
from jaxnets.train.estimate import Estimate, make_step
from jaxnets.train.experiment import build_optimiser, name_net
from jaxnets.train.state import init_state
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
  _, optimiser, _ = build_optimiser(config, max(1000, 2 * config.optim.warmup_steps))
  size = config.data.image_size
  shape = (1, size, size, subject.channels)
  state = jax.jit(
    lambda key: init_state(net, optimiser, key, shape, ema=bool(config.train.ema)),
    out_shardings=meshes.replicated(mesh),
  )(jax.random.key(0))
  draw = np.random.default_rng(0)
  batch = meshes.global_batch(mesh, {
    "image": draw.integers(0, 256, (config.train.batch, *shape[1:]), np.uint8),
    "label": draw.integers(0, subject.classes, config.train.batch, np.int32),
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
  bound = roofline.bound(estimate.gradient, device).bound_seconds * config.train.accumulation
  return found | {"bound_seconds": bound, "times_the_bound": times.measured_seconds / bound}
