"""From one net to another, axis by axis: what of the difference matters?

    python launch.py ablate cifar_plain20 cifar_resnet20 --config=experiments/digits_depth.py \\
      --seeds=0:3 --workdir=runs/ablation [--dry_run]
    python launch.py ablate alexnet,stem=small vgg16,stem=small --config=...

A net is a name, with axes after commas, in the recipe of --config; or each is a FILE.py:ARG with a
recipe of its own. The cells are the first, it with one axis of the second, the chain from the first
to the second, the second, and it with one axis of the first. All flags of `sweep` apply.
"""

from typing import Any

from absl import flags

from jaxnets.cli import sweep
from jaxnets.cli.configs import Chosen
from jaxnets.cli.subjects import value_of
from jaxnets.errors import ConfigError


def define(values: flags.FlagValues) -> None:
  """The flags of this verb: those of sweep."""
  sweep.define(values)


def run(values: flags.FlagValues, arguments: list[str], chosen: Chosen | None) -> int:
  """Runs what is missing of the ablation, as `sweep` does."""
  from jaxnets.sweep import cells, equal

  if len(arguments) != 2:
    raise ConfigError(
      f"ablate takes two nets or experiments, not {len(arguments)}\n"
      "For example: ablate cifar_plain20 cifar_resnet20 --config=experiments/digits_depth.py"
    )
  first, second = (_config(text, chosen) for text in arguments)
  way = cells.ablate(first, second, lambda config: equal.is_possible(config, values.data_dir))
  overrides = sweep.times(values, way, "the way from the first to the second")
  question = f"What of the way from {arguments[0]} to {arguments[1]} matters?"
  spec = chosen.spec if chosen else " ".join(arguments)
  return sweep.run_sweep(values, spec, question, first, overrides)


def _config(text: str, chosen: Chosen | None) -> Any:
  """The config of FILE.py:ARG, or of NAME,AXIS=VALUE,... in the recipe of --config."""
  from jaxnets import config

  if text.partition(":")[0].endswith(".py"):
    return config.load(text)
  if chosen is None:
    raise ConfigError(f"{text} is a net; in which recipe? Add --config=experiments/FILE.py")
  name, *axes = text.split(",")
  overrides: dict[str, Any] = {}
  for word in axes:
    axis, equals, value = word.partition("=")
    if not equals:
      raise ConfigError(f'"{word}" in {text} must be AXIS=VALUE, as width=0.5')
    overrides[f"net.{axis}"] = value_of(value)
  recipe = chosen.config.copy_and_resolve_references()
  config.use_net(recipe, name)  # the recipe's own net leaves no axis behind
  return config.changed(recipe, overrides)
