"""--config=FILE.py:ARG and --config.SECTION.FIELD=VALUE, for the verbs that take them."""

import re
from typing import Any, NamedTuple

from absl import flags

from jaxnets.errors import ConfigError, did_you_mean

VERBS = (
  "train",
  "show",
  "sweep",
  "ablate",
)  # the verbs that take a config: run(values, arguments, chosen)
_OVERRIDE = re.compile(r"--?(?:no)?config\.([\w.]+)(?:=(.*))?$", re.DOTALL)


class Chosen(NamedTuple):
  """The config of a command line, and where it came from."""

  spec: str  # FILE.py:ARG
  config: Any
  overridden: tuple[str, ...]  # dotted keys given on the command line


def choose(values: flags.FlagValues, words: list[str]) -> tuple[list[str], Chosen | None]:
  """Executes the experiment file named in `words` and defines a flag for each override.

  The overrides are in the config once `values` has parsed the words returned; `finish` checks it.

  Returns:
    The words without --config, and the config, None when no file is named.

  Raises:
    ConfigError: no such file, argument or field.
  """
  spec, words = _take_spec(words)
  overrides = [m for m in map(_OVERRIDE.match, words) if m]
  if spec is None:
    if overrides:
      raise ConfigError(f"{overrides[0][0].split('=')[0]} needs --config=experiments/FILE.py")
    return words, None

  # ml_collections takes 0.1 s to import, which the other verbs save.
  from ml_collections import config_flags

  from jaxnets import config as configuration

  config = configuration.execute(spec)
  for match in overrides:
    if match[1] == "net.name":
      following = words[words.index(match[0]) + 1 :]
      configuration.rename_net(config, match[2] if match[2] is not None else "".join(following[:1]))
  known = configuration.flatten(config)
  for match in overrides:
    if match[1] not in known:
      raise ConfigError(unknown(match[1], known))
  config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=["", *words])
  return words, Chosen(spec, config, tuple(m[1] for m in overrides))


def finish(chosen: Chosen) -> None:
  """Settles and checks the config after its overrides are parsed."""
  from jaxnets import config as configuration

  configuration.settle(chosen.config, chosen.overridden)
  configuration.check(chosen.config)


def required(chosen: Chosen | None) -> Chosen:
  """What was chosen; ConfigError when no file was named."""
  if chosen is None:
    raise ConfigError(
      "--config is missing: which experiment?\nFor example --config=experiments/quickstart.py; "
      "all of them: python launch.py list experiments"
    )
  return chosen


def _take_spec(words: list[str]) -> tuple[str | None, list[str]]:
  """The value of --config, as --config=VALUE or --config VALUE, and the other words."""
  rest, spec, words = [], None, list(words)
  while words:
    word = words.pop(0)
    if word in ("--config", "-config"):
      if not words:
        raise ConfigError("--config needs a value: --config=experiments/FILE.py")
      spec = words.pop(0)
    elif word.startswith(("--config=", "-config=")):
      spec = word.partition("=")[2]
    else:
      rest.append(word)
  return spec, rest


def unknown(key: str, known: dict) -> str:
  """The error text for a key that the config does not have."""
  if key.startswith("net."):
    axes = [k.removeprefix("net.") for k in known if k.startswith("net.")]
    axis = key.removeprefix("net.")
    return (
      f'net "{known["net.name"]}" has no axis "{axis}".{did_you_mean(axis, axes)}\n'
      f"Its axes: {', '.join(axes[1:])}"
    )
  return f'config has no field "{key}".{did_you_mean(key, known)}'
