"""List what there is.

    python launch.py list [nets|data|experiments] ['*PATTERN*'] [--format=text|json|csv|md]

Parameters and multiply-adds (MACs) of nets are the published or derived counts for one image.
"""

import ast
import fnmatch
import importlib.resources
import json
from pathlib import Path
from typing import Any

from absl import flags

from jaxnets.cli import table
from jaxnets.errors import ConfigError, did_you_mean

KINDS = ("nets", "data", "experiments")


def define(values: flags.FlagValues) -> None:
  """This verb has no flags of its own."""
  del values


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Prints one table per kind."""
  kinds = [a for a in arguments if a in KINDS]
  patterns = [a for a in arguments if a not in KINDS]
  if len(patterns) > 1 or (patterns and not kinds and not any(c in patterns[0] for c in "*?[")):
    raise ConfigError(
      f'there is no list of "{patterns[0]}".{did_you_mean(patterns[0], KINDS)}\n'
      f"Lists: {' '.join(KINDS)}; patterns need quotes: list nets 'resnet*'"
    )
  pattern = patterns[0] if patterns else "*"
  form = values.format
  tables = {"nets": nets, "data": lambda: data(values.data_dir), "experiments": experiments}
  chosen = {}
  for kind in kinds or (["nets"] if patterns else KINDS):
    chosen[kind] = [r for r in tables[kind]() if fnmatch.fnmatch(r["name"], pattern)]
    if not chosen[kind]:
      names = [r["name"] for r in tables[kind]()]
      raise ConfigError(f'no {kind} match "{pattern}".{did_you_mean(pattern.strip("*"), names)}')
  if form == "json" and len(chosen) > 1:
    print(json.dumps(chosen, indent=1))
    return 0
  for i, (kind, rows) in enumerate(chosen.items()):
    if i and form in ("text", "md"):
      print()
    table.show(rows, form, title=f"{kind}:" if len(chosen) > 1 else "")
  return 0


def nets() -> list[dict[str, Any]]:
  """One row per named net."""
  from jaxnets.nets import VARIANTS

  text = importlib.resources.files("jaxnets.nets").joinpath("counts.json").read_text()
  counts = json.loads(text)
  return [
    {
      "name": name,
      "family": row.family,
      "params": counts.get(name, {}).get("params"),
      "macs": counts.get(name, {}).get("macs"),
      "image_size": row.image_size,
      "classes": row.classes,
      "paper": row.paper,
    }
    for name, row in VARIANTS.items()
  ]


def data(data_dir: str | None) -> list[dict[str, Any]]:
  """One row per dataset known by name or prepared, with whether it is ready."""
  from jaxnets import data as room
  from jaxnets.errors import DataError

  rows = []
  root = room.data_directory(data_dir)
  prepared = sorted(p.parent.parent.name for p in root.glob("*/*/dataset_info.json"))
  for name in dict.fromkeys((*room.names(), *prepared)):
    try:
      info = room.info(name, data_dir)
      facts = {"ready": True, "images": sum(info.counts.values()), "classes": len(info.classes),
               "image_size": info.image_size}  # fmt: skip
    except DataError:
      facts = {"ready": False, "images": None, "classes": None, "image_size": None}
    rows.append({"name": name, **facts})
  return rows


def experiments() -> list[dict[str, Any]]:
  """One row per file in experiments/, with the question that its docstring opens with."""
  rows = []
  folder = Path("experiments")
  if not folder.is_dir():  # not in the repository: show what it holds all the same
    folder = Path(__file__).parents[2] / "experiments"
  for path in sorted(folder.glob("*.py")):
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    rows.append({"name": path.stem, "config": str(path), "question": text.partition("\n")[0]})
  return rows
