"""What a line names to be counted: nets and experiment files, with overrides for all of them."""

import ast
import re
from typing import Any, NamedTuple

from jaxnets.cli.configs import unknown
from jaxnets.errors import ConfigError

NAMING = ("cost",)  # the verbs that take subjects: run(values, subjects)
VERBS = (*NAMING, "classical")  # and one that takes overrides alone
# --config.SECTION.FIELD and --net.AXIS, which is short for --config.net.AXIS.
_FIELD = re.compile(r"--?(?:config\.(?=\w)|(?=net\.))([\w.]+)(?:=(.*))?$", re.DOTALL)
_NAME = re.compile(r"--?(net|config)(?:=(.*))?$", re.DOTALL)


class Named(NamedTuple):
  """The words of a command line that name subjects."""

  specs: tuple[str, ...]  # names of nets, or FILE.py:ARG
  overrides: tuple[tuple[str, str], ...]  # dotted keys with values as written


def take(words: list[str]) -> tuple[list[str], Named]:
  """The other words, and what names subjects: --net=NAME, --config=FILE.py:ARG, NAME, overrides.

  Overrides are --net.AXIS=VALUE, or --config.SECTION.FIELD=VALUE.
  """
  rest: list[str] = []
  specs: list[str] = []
  overrides: list[tuple[str, str]] = []
  words = list(words)
  while words:
    word = words.pop(0)
    field, name = _FIELD.match(word), _NAME.match(word)
    found = field or name
    if found is None:
      rest.append(word)
      continue
    value = found[2]
    if value is None:
      if not words:
        raise ConfigError(f"{word} needs a value: {word}=...")
      value = words.pop(0)
    if field:
      overrides.append((field[1], value))
    else:
      specs.append(value)
  return rest, Named(tuple(specs), tuple(overrides))


def describe(spec: str, overrides: dict[str, str], data_dir: str | None) -> Any:
  """The checked config of a net's name or of FILE.py:ARG, as `train.estimate.Subject`.

  A net by itself has the images and classes that it was published with.

  Raises:
    ConfigError: no such net, file, field or value.
  """
  from jaxnets import config as configuration
  from jaxnets import nets
  from jaxnets.train.estimate import Subject, subject_of

  is_file = spec.partition(":")[0].endswith(".py")
  config = configuration.execute(spec) if is_file else configuration.base(spec)
  for key, text in overrides.items():
    if key == "net.name":
      configuration.rename_net(config, text)
  for key, text in overrides.items():
    if key != "net.name":
      known = configuration.flatten(config)
      if key not in known:
        raise ConfigError(unknown(key, known))
      configuration.override(config, key, value_of(text))
  if not is_file and not config.train.epochs:
    config.train.steps = config.train.steps or 1000  # a config must say; costs do not depend on it
  configuration.settle(config, overrides)
  configuration.check(config)
  if is_file:
    return subject_of(config, data_dir)
  return Subject(config, nets.variant(config.net.name).classes)


def value_of(text: str) -> Any:
  """A number, tuple or truth value as Python writes it, also "true"; any other text as it is."""
  if text.lower() in ("true", "false"):
    return text.lower() == "true"
  try:
    return ast.literal_eval(text)
  except (ValueError, SyntaxError):
    return text
