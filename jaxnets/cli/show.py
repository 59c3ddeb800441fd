"""Show a config with where each value comes from, or the axes of a net.

python launch.py show --config=experiments/quickstart.py [--config.net.depth=20 ...]
python launch.py show resnet50
"""

from typing import Any

from absl import flags

from jaxnets.cli import table
from jaxnets.cli.configs import Chosen
from jaxnets.errors import ConfigError


def define(values: flags.FlagValues) -> None:
  """This verb has no flags of its own."""
  del values


def run(values: flags.FlagValues, arguments: list[str], chosen: Chosen | None) -> int:
  """Prints one row per field."""
  form = values.format
  if chosen is None and len(arguments) == 1:
    table.show(net_rows(arguments[0]), form)
    return 0
  if chosen is None or arguments:
    raise ConfigError(
      "show takes --config=experiments/FILE.py, or the name of one net\n"
      "For example: python launch.py show resnet50"
    )
  table.show(config_rows(chosen), form)
  return 0


def config_rows(chosen: Chosen) -> list[dict[str, Any]]:
  """key, value, origin (default, file or flag), meaning of every field."""
  from jaxnets import config as configuration
  from jaxnets import nets
  from jaxnets.fields import FIELDS
  from jaxnets.nets.meanings import meaning

  values = configuration.flatten(chosen.config)
  axes = nets.axes(values["net.name"])
  defaults = {f"net.{k}": v for k, v in axes.items()}
  defaults |= {k: f.default for k, f in FIELDS.items()}
  rows = []
  for key, value in values.items():
    unchanged = key in defaults and defaults[key] == value
    origin = "flag" if key in chosen.overridden else "default" if unchanged else "file"
    field = FIELDS.get(key)
    text = field.meaning if field else meaning(key.removeprefix("net."))
    rows.append({"key": key, "value": _text(value), "origin": origin, "meaning": text})
  return rows


def net_rows(name: str) -> list[dict[str, Any]]:
  """axis, value and meaning of every axis of a net."""
  from jaxnets import nets
  from jaxnets.nets.meanings import meaning

  axes = nets.axes(name)
  return [{"axis": k, "value": _text(v), "meaning": meaning(k)} for k, v in axes.items()]


def _text(value: Any) -> Any:
  return repr(value) if isinstance(value, tuple) else value
