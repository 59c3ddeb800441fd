"""What a run says of itself: in its log, in run.json, in its summary."""

import logging
import os
from pathlib import Path
from typing import Any

import jax

from jaxnets import kernels, nets, runs
from jaxnets.train.experiment import Experiment

log = logging.getLogger("jaxnets")


def announce(experiment: Experiment) -> None:
  """Says what is about to run."""
  info, net, size = experiment.info, experiment.net, experiment.config.data.image_size
  params = sum(x.size for x in jax.tree.leaves(experiment.abstract.params))
  if info.test_split != "test":
    log.info("the stored split %s of %s plays the test role", info.test_split, info.name)
  axes = ", ".join(f"{axis}={value}" for axis, value in changed_axes(net).items())
  name = f"{net.name} ({axes})" if axes else net.name
  macs, images = experiment.macs / 1e6, experiment.config.train.batch
  log.info(
    f"{name} on {info.name} {size}x{size}: {params:,} parameters, {macs:,.1f} M MACs/image | "
    f"{experiment.steps} steps of {images} images"
  )


def note_other_kernels(before: dict[str, Any]) -> None:
  """Says when a run goes on with other kernels than its record has: not the same to the bit."""
  old, new = before.get("kernels"), kernels.describe()
  if old is not None and old != new:
    log.warning(
      "this run had the kernels %s and goes on with %s: the same up to rounding, not to the bit; "
      "--kernels=%s goes on as before",
      old, new, old.split()[0],
    )  # fmt: skip


def note_form(workdir: Path, seat: dict[str, Any], *, resumed: bool) -> None:
  """Notes how a run goes on, alone or as a member; says when it was otherwise before."""
  seat = {"members": None} | seat
  before = {"members": None} | (runs.read_json(workdir / "run.json") or {})
  if resumed and before["members"] != seat["members"]:
    was, now = (
      f"one of {m['count']} members ({m['form']})" if (m := x["members"]) else "one alone"
      for x in (before, seat)
    )
    log.warning(
      "this run was %s and goes on as %s: the same up to rounding, not to the bit", was, now
    )
  runs.note(workdir, **seat)


def changed_axes(net: nets.Net) -> dict[str, Any]:
  """The axes in which a net differs from the published one of its name."""
  published = nets.axes(net.name)
  return {axis: value for axis, value in net.fields.items() if value != published[axis]}


def facts(experiment: Experiment) -> dict[str, Any]:
  """What run.json says of a start besides what every run has."""
  return {
    "jax": jax.__version__,
    **machine(),
    "hosts": jax.process_count(),
    "steps": experiment.steps,
    "data_dir": None if experiment.data_dir is None else str(Path(experiment.data_dir).absolute()),
    "data_fingerprint": experiment.info.fingerprint,
  }


def machine() -> dict[str, str]:
  """What times are of: devices, form of the kernels, threads."""
  devices = jax.devices()
  return {
    "devices": f"{len(devices)} x {devices[0].device_kind}",
    "kernels": kernels.describe(),
    "threads": os.environ.get("OMP_NUM_THREADS", str(os.cpu_count())),
  }
