"""What the verbs that read finished runs have in common: their folders and flags. Not a verb."""

from pathlib import Path
from typing import Any

from absl import flags

from jaxnets.errors import ConfigError


def define(values: flags.FlagValues) -> None:
  """The flags that say which runs stand beside which, by what."""
  flags.DEFINE_list("by", [], "fields to group by; else all that differ but the seed",
                    flag_values=values)  # fmt: skip
  define_metric(values)
  flags.DEFINE_string(
    "baseline", None, "the group to compare with, as depth=20,shortcut=A; else the first",
    flag_values=values,
  )  # fmt: skip
  flags.DEFINE_bool("mixed_protocols", False, "show numbers that were measured in several ways "
                    "together", flag_values=values)  # fmt: skip


def define_metric(values: flags.FlagValues) -> None:
  """The flag that says by which number runs are judged."""
  flags.DEFINE_string("metric", "test_top1", "of summary.json", flag_values=values)


def folders(values: flags.FlagValues, arguments: list[str], verb: str) -> list[Path]:
  """The folders that a command line names; ConfigError when it names none."""
  named = [Path(a) for a in [*arguments, *([values.workdir] if values.workdir else [])]]
  if not named:
    raise ConfigError(f"which runs?\nFor example python launch.py {verb} runs/digits_depth")
  return named


def groups(values: flags.FlagValues, runs: list[Any]) -> list[Any]:
  """The runs in the groups of --by, that of --baseline first."""
  from jaxnets.sweep import aggregate

  return aggregate.with_baseline(aggregate.group(runs, values.by), values.baseline)
