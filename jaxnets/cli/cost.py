"""What a net or an experiment costs, from its traced program: nothing is trained or allocated.

    python launch.py cost resnet50 [--net.width=0.5 ...] [--batch=64] [--precision=bfloat16]
    python launch.py cost --config=experiments/cifar10_resnet.py:resnet56
    python launch.py cost resnet50 resnet50_v1            # side by side, only what differs
    python launch.py cost resnet50 --device=h100,v100     # the least time of a train step
    python launch.py cost resnet50 --fits=16GiB           # the largest batch
    python launch.py cost cifar_resnet20 --measure=20     # times twenty real steps on this machine
    python launch.py cost resnet50 --xla                  # beside what XLA counts

MACs are multiply-adds of convolutions and matrix products for one image, with taps on padding; each
is two FLOPs. docs/cost.md defines every number.
"""

import json
import os
import re
from typing import Any

from absl import flags

from jaxnets import memory
from jaxnets.cli import subjects, table
from jaxnets.errors import ConfigError

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
         "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}  # fmt: skip


def define(values: flags.FlagValues) -> None:
  """The flags of this verb."""
  for name, text in (
    ("image_size", "side of the images, px; else that of the net or experiment"),
    ("classes", "length of the logits; else the net's or the dataset's"),
    ("batch", "images of a train step, over all devices"),
    ("measure", "time so many real train steps on this machine"),
  ):
    flags.DEFINE_integer(name, None, text, lower_bound=1, flag_values=values)
  flags.DEFINE_integer("devices", 1, "that share the batch", lower_bound=1, flag_values=values)
  flags.DEFINE_enum(
    "precision", None, ["float32", "bfloat16"], "of the computation", flag_values=values
  )
  flags.DEFINE_enum(
    "optim", None, ["sgd", "lars", "lamb", "adamw"], "optimiser", flag_values=values
  )
  flags.DEFINE_list(
    "device", None, "kinds of device to bound the time on: v100, a100, h100, ..., cpu",
    flag_values=values,
  )  # fmt: skip
  flags.DEFINE_string(
    "fits", None, "memory of a device, such as 16GiB: gives the largest batch", flag_values=values
  )
  flags.DEFINE_bool(
    "xla", False, "compile too, and account for all that XLA counts otherwise", flag_values=values
  )


def run(values: flags.FlagValues, named: subjects.Named) -> int:
  """Prints the cost of one subject by its layers, or of several side by side."""
  if not named.specs:
    raise ConfigError(
      "cost takes a net or an experiment\nFor example: python launch.py cost resnet50, or "
      "python launch.py cost --config=experiments/cifar10_resnet.py"
    )
  limit = 0 if values.fits is None else read_size(values.fits)
  single = [f"--{flag}" for flag in ("fits", "measure", "xla") if values[flag].value]
  if single and len(named.specs) > 1:
    raise ConfigError(f"{single[0]} takes one net or experiment, not {len(named.specs)}")
  if values.format in ("csv", "md") and (len(named.specs) == 1) and (values.device or single):
    flag = single[0] if single else "--device"
    raise ConfigError(f"{flag} has no place in a table of layers\nUse --format=text or json")
  platform = _platform(values)
  with memory.uncollected():
    from jaxnets.train.estimate import estimate

    found = {spec: estimate(_subject(values, named, spec, platform)) for spec in named.specs}

  from jaxnets.cli import cost_rows

  kinds = list(dict.fromkeys(values.device or ()))
  facts = {spec: cost_rows.facts(spec, one, kinds) for spec, one in found.items()}
  if len(found) > 1:
    if values.format == "json":
      print(json.dumps(list(facts.values()), indent=1))
    else:
      table.show(cost_rows.differences(facts), values.format)
    return 0
  ((spec, one),) = found.items()
  said = facts[spec] | _more(values, one, limit)
  if values.format == "json":
    print(json.dumps(said, indent=1))
  elif values.format == "text":
    print(cost_rows.text(said))
  else:
    table.show(cost_rows.layers(said), values.format)
  return 0


def _subject(values: flags.FlagValues, named: subjects.Named, spec: str, platform: str) -> Any:
  """What a word of the command line names, with the flags that are for all."""
  if named.specs.count(spec) > 1:
    raise ConfigError(f'"{spec}" is named twice: there is nothing to compare')
  found = subjects.describe(spec, _overrides(values, named), values.data_dir)
  classes = values.classes or found.classes
  return found._replace(classes=classes, devices=values.devices, platform=platform)


def _more(values: flags.FlagValues, one: Any, limit: int) -> dict[str, Any]:
  """What only some flags ask for."""
  more: dict[str, Any] = {}
  if limit:
    from jaxnets.train.fits import largest_batch

    more["fits"] = largest_batch(one, limit)._asdict()
  if values.measure:
    from jaxnets.train.measure import measure

    more["measured"] = measure(one, values.measure)
  if values.xla:
    from jaxnets.train.crosscheck import crosscheck

    more["xla"] = crosscheck(one)
  return more


def _overrides(values: flags.FlagValues, named: subjects.Named) -> dict[str, str]:
  """Those written out and those that have a flag of their own."""
  short = {"data.image_size": values.image_size, "train.batch": values.batch,
           "train.precision": values.precision, "optim.name": values.optim}  # fmt: skip
  return dict(named.overrides) | {k: str(v) for k, v in short.items() if v is not None}


def _platform(values: Any) -> str:
  """Where the program would run: on the first device named, else where --platform says, else here.

  Of other machines only what is written is known: nothing is started.
  """
  if values.device is not None and not all(values.device or [""]):
    raise ConfigError("--device names no kind of device\nFor example --device=h100,v100")
  if values.device:
    first = values.device[0].lower()
    return "cpu" if first == "cpu" else "tpu" if first.startswith("tpu") else "cuda"
  here = values.platform or os.environ.get("JAX_PLATFORMS", "").split(",")[0]
  if not here:
    import jax

    here = jax.default_backend()
  return "cuda" if here == "gpu" else here


def read_size(text: str) -> int:
  """Bytes of "16GiB", "500MB", "8e9"; ConfigError otherwise."""
  match = re.fullmatch(r"\s*([\d.]+(?:[eE]\d+)?)\s*([A-Za-z]*)\s*", text)
  units = {unit.lower(): number for unit, number in UNITS.items()}
  try:
    if match is None:
      raise ValueError
    size = int(float(match[1]) * units[match[2].lower()])
    if size < 1:
      raise ValueError
    return size
  except (ValueError, KeyError, OverflowError):
    raise ConfigError(
      f"--fits (={text}) must be a number of bytes\nFor example --fits=16GiB or --fits=500MB"
    ) from None
