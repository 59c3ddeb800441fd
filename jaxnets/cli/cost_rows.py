"""The cost of a subject as plain values, rows of layers, a comparison, and a page of text."""

import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from jaxnets.cli import table
from jaxnets.cost import devices
from jaxnets.cost.field import Field
from jaxnets.train.estimate import Estimate, bound_step

BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}


def facts(name: str, estimate: Estimate, kinds: Sequence[str]) -> dict[str, Any]:
  """All that --format=json says.

  Args:
    name: the subject as it was named.
    estimate: of it.
    kinds: of devices, for bounds on the time of a train step.
  """
  subject, forward, memory = estimate.subject, estimate.forward, estimate.memory
  config = subject.config
  return {
    "name": name,
    "net": estimate.net.name,
    "image_size": config.data.image_size,
    "channels": subject.channels,
    "classes": subject.classes,
    "params": forward.params,
    "macs": forward.macs,
    "flops": forward.flops,
    "elementwise": forward.elementwise,
    "train_macs": estimate.train_macs,
    "train_flops": 2 * estimate.train_macs,
    "train_elementwise": estimate.train_elementwise,
    "activations": forward.activations,
    "bytes": {dtype: size * forward.params for dtype, size in BYTES.items()},
    "receptive_field": _square(estimate.field and estimate.field.size),
    "stride": _square(estimate.field and estimate.field.stride),
    "padding": _square(estimate.field and estimate.field.padding),
    "batch": config.train.batch,
    "devices": subject.devices,
    "precision": config.train.precision,
    "optimiser": config.optim.name,
    "memory": memory._asdict() | {"note": _caution(estimate)},
    "bounds": {kind: _bound(estimate, kind) for kind in kinds},
    "uncounted": forward.uncounted,
    "layers": [
      {
        "name": row.name,
        "op": row.op,
        "shape": list(row.shape[1:]),
        "params": row.params,
        "macs": row.macs,
        "elementwise": row.elementwise,
        **_place(estimate.fields.get(row.name)),
      }
      for row in forward.layers
    ],
  }


def layers(said: dict[str, Any]) -> list[dict[str, Any]]:
  """A row per layer and one with the sums."""
  rows = [row | {"shape": "x".join(map(str, row["shape"]))} for row in said["layers"]]
  field = said["receptive_field"]
  total = {"name": "total", "op": "", "shape": "", "params": said["params"], "macs": said["macs"],
           "elementwise": said["elementwise"], "field": _words(field),
           "stride": said["stride"], "padding": said["padding"]}  # fmt: skip
  return [*rows, total]


def differences(all_facts: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
  """A row per value that is not the same for all; with two subjects also the ratio."""
  flat = {name: _flatten(said) for name, said in all_facts.items()}
  keys = list(dict.fromkeys(key for values in flat.values() for key in values))
  rows = []
  for key in keys:
    values = [said.get(key) for said in flat.values()]
    if all(value == values[0] for value in values):
      continue
    row = {"what": key} | dict(zip(flat, values, strict=True))
    if len(values) == 2:
      row["ratio"] = _ratio(*values)
    rows.append(row)
  return rows or [{"what": "nothing differs"} | dict.fromkeys(flat, "")]


def text(said: dict[str, Any]) -> str:
  """The page for a terminal."""
  memory, macs, train = said["memory"], said["macs"], said["train_macs"]
  side, devices = said["image_size"], said["devices"]
  sizes = ", ".join(f"{human(number)} in {dtype}" for dtype, number in said["bytes"].items())
  place = f", stride {_words(said['stride'])}, padding {_words(said['padding'])}"
  table_lines = _table(layers(said))
  lines = [
    f"{said['name']}: {said['net']}, images {side}x{side}x{said['channels']}, {said['classes']} "
    "classes\n",
    *table_lines,
    "",
    f"parameters       {said['params']:,}: {sizes}",
    f"MACs/image       {macs:,} forward, which are {said['flops']:,} FLOPs",
    f"                 {train:,} with the gradient, {train / max(1, macs):.3f} times as many",
    f"other operations {said['elementwise']:,} forward, {said['train_elementwise']:,} with the "
    "gradient",
    f"activations      {said['activations']:,} values out of convolutions and products",
    f"receptive field  {_words(said['receptive_field'])}{place if said['stride'] else ''}",
    "",
    f"memory {f'on each of {devices} devices' if devices > 1 else 'on one device'}, "
    f"{memory['batch']} images there, "
    f"{said['precision']}, {said['optimiser']}, operations: {memory['kernels']}",
    f"  state          parameters {human(memory['params'])}, optimiser "
    f"{human(memory['optimiser'])}, batch-norm averages {human(memory['stats'])}"
    + (f", average {human(memory['average'])}" if memory["average"] else ""),
    f"  train step     {human(memory['train'])} at its peak; {human(memory['kept'])} of it are "
    "kept for the backward pass",
    f"  inference      {human(memory['forward'])} at its peak",
  ]
  if memory["note"]:
    lines.append(f"  note           {memory['note']}")
  for bound in said["bounds"].values():
    lines.append(
      f"bound on {bound['device']:7} a train step takes at least {1e3 * bound['bound_seconds']:.3g}"
      f" ms: at most {bound['images_per_second']:,.0f} images/s, by {bound['limited_by']} "
      "(computed, not measured)"
    )
  for key, words in (("fits", _fit), ("measured", _measured), ("xla", _xla)):
    if key in said:
      lines += words(said[key], said)
  rows = len(table_lines) + 1
  return "\n".join([*lines[:rows], *(part for line in lines[rows:] for part in _wrapped(line))])


def human(number: float) -> str:
  """ "1.23 GiB", in powers of 1024, as memories are sold."""
  for unit in ("B", "KiB", "MiB", "GiB"):
    if abs(number) < 1000:
      return f"{number:.3g} {unit}" if unit != "B" else f"{number:.0f} B"
    number /= 1024
  return f"{number:,.3g} TiB"


def _caution(estimate: Estimate) -> str:
  """Where the compiled programs were seen to need other memory; the numbers are in docs/cost.md."""
  subject, form = estimate.subject, estimate.memory.kernels
  if subject.platform == "cpu" and subject.config.train.precision == "bfloat16":
    return "a CPU computes bfloat16 in float32: up to 2.5 times as much was seen; --xla says"
  if subject.platform == "cpu" and form != "onednn":
    return "without the C++ kernels up to 1.7 times as much was seen; --xla compiles and says"
  if subject.platform == "cpu" and subject.config.net.get("remat"):
    return "on a CPU XLA keeps what remat would compute again"
  return ""


def _fit(fit: dict[str, Any], said: dict[str, Any]) -> list[str]:
  del said
  return [
    f"fits in {human(fit['limit'])}: {fit['batch']} images a step at most, which need "
    f"{human(fit['needed'])} on a device; {fit['next_batch']} would need "
    f"{human(fit['next_needed'])} (estimated)"
  ]


def _measured(times: dict[str, Any], said: dict[str, Any]) -> list[str]:
  low, middle, high, bound = (
    f"{1e3 * (times[key] or 0):.4g}"
    for key in (
      "lower_quartile_seconds",
      "measured_seconds",
      "upper_quartile_seconds",
      "bound_seconds",
    )
  )
  lines = [
    f"measured         {times['steps']} train steps of {said['batch']} images on "
    f"{times['device']}: {middle} ms (middle half {low} to {high}), "
    f"{times['images_per_second']:,.0f} images/s"
  ]
  if times["bound_seconds"]:
    lines.append(
      f"                 {times['times_the_bound']:.2f} times the bound there, {bound} ms "
      "(computed)"
    )
  return lines


def _xla(found: dict[str, Any], said: dict[str, Any]) -> list[str]:
  flops = found["flops"]
  rows = [
    ("2 x MACs, every tap", flops["macs_flops"]),
    ("taps on padding, which XLA leaves out", -flops["padding"]),
    ("other operations", flops["elementwise"]),
    ("roots, exponentials, ...: counted apart", -flops["transcendental"]),
    (f"unexplained, {flops['share']:.3%}", flops["unexplained"]),
    ("XLA, of the program as it is given", flops["before"]),
    ("computed again in fusions, or left out", flops["optimised"]),
    ("XLA, of the compiled program", flops["compiled"]),
  ]
  lines = ["", "FLOPs of the forward pass of one image, from the trace to XLA's count:"]
  lines += [f"  {name:42}{number:>18,}" for name, number in rows]
  for kind, words in (("train", "train step"), ("forward", "inference")):
    ours, theirs = said["memory"][kind], found["memory"][kind]
    lines.append(
      f"memory of {words}: {human(theirs)} compiled, {human(ours)} estimated, "
      f"{ours / theirs:.3f} of that"
    )
  return lines


def _bound(estimate: Estimate, kind: str) -> dict[str, Any]:
  bound = bound_step(estimate, devices.find(kind))
  images = estimate.subject.config.train.batch
  return bound._asdict() | {"images_per_second": images / bound.bound_seconds}


def _table(rows: list[dict[str, Any]]) -> list[str]:
  """The layers as lines that fit the terminal: long names lose their middle, then columns go."""
  room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
  columns = ["name", "op", "shape", "params", "macs", "field"]
  while len(columns) > 4:
    over = table.width(rows, columns) - room
    longest = max(len(row["name"]) for row in rows)
    if over <= 0 or longest - over >= 16:
      break
    columns.remove("shape" if "shape" in columns else "op")
  width = max(16, longest - max(0, table.width(rows, columns) - room))
  short = [row | {"name": _shortened(row["name"], width)} for row in rows]
  return table.lines([{c: row[c] for c in columns} for row in short])


def _wrapped(line: str) -> list[str]:
  """A line as several on a terminal that is too narrow for it, the others below its text."""
  room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
  indent = " " * min(17, room // 3)
  return textwrap.wrap(line, room, subsequent_indent=indent, drop_whitespace=True) or [line]


def _shortened(name: str, width: int) -> str:
  """A long name with dots for its middle."""
  if len(name) <= width:
    return name
  left = (width - 2) // 2
  return f"{name[:left]}..{name[len(name) - (width - 2 - left) :]}"


def _place(field: Field | None) -> dict[str, Any]:
  """Receptive field, stride and padding of a layer; of one that sees the whole image no stride."""
  if field is None:
    return {"field": "", "stride": None, "padding": None}
  stride, padding = (None, None) if field.whole else (field.stride, field.padding)
  return {"field": field.text, "stride": _square(stride), "padding": _square(padding)}


def _ratio(first: Any, second: Any) -> float | None:
  if isinstance(first, int | float) and isinstance(second, int | float) and first:
    return round(second / first, 4)
  return None


def _square(sides: Sequence[int] | None) -> Any:
  """One number where height and width agree, which they nearly always do."""
  if sides is None:
    return None
  return sides[0] if len(set(sides)) == 1 else list(sides)


def _words(sides: Any) -> str:
  if sides is None:
    return "the whole image"
  return "x".join(map(str, sides)) if isinstance(sides, list) else f"{sides} px"


def _flatten(said: dict[str, Any], prefix: str = "") -> dict[str, Any]:
  """Dotted keys; layers by their names, of each what can differ."""
  flat = {}
  for key, value in said.items():
    if key == "name":
      continue
    if key == "layers":
      value = {row["name"]: {k: v for k, v in row.items() if k != "name"} for row in value}
    if isinstance(value, dict):
      flat |= _flatten(value, f"{prefix}{key}.")
    else:
      flat[f"{prefix}{key}"] = "x".join(map(str, value)) if isinstance(value, list) else value
  return flat
