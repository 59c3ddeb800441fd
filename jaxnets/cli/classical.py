"""Hand-made features and the classifiers that read them: what learned features replaced.

    python launch.py classical --features=hog,lbp,hog+lbp+colour --classifiers=svm,logreg,forest
        --config.data.name=cifar10 --data_dir=DATA --workdir=runs/classical
    python launch.py classical --features=kmeans --classifiers=svm --config.kmeans.centroids=400 ...
    python launch.py classical ... --seeds=0:3 --sizes=100,1000,10000,all

Features: raw hog lbp gist sift colour kmeans, or several joined by +. Classifiers: svm (linear),
rbf (SVM), logreg, forest, tree; each is fitted with every strength of its grid, the best on the
validation images is tested. Leaves a sweep folder, which status, compare and report read; the same
command again does what is missing. --config.SECTION.FIELD=VALUE sets a field of a feature,
classifier or of data; all of them: jaxnets/classical/config.py.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from jaxnets.cli import table
from jaxnets.cli.logs import said_to
from jaxnets.cli.subjects import Named, value_of
from jaxnets.cli.sweep import FAILED, seeds_of
from jaxnets.errors import ConfigError

log = logging.getLogger("jaxnets")


def define(values: flags.FlagValues) -> None:
  """The flags of this verb."""
  flags.DEFINE_list("features", ["hog"], "features, each a pipeline; a+b joins two",
                    flag_values=values)  # fmt: skip
  flags.DEFINE_list("classifiers", ["svm"], "of svm, rbf, logreg, forest, tree", flag_values=values)
  flags.DEFINE_string("seeds", None, "0:3 for 0 to 2, or a list, 0,1,7", flag_values=values)
  flags.DEFINE_list("sizes", [], "training images, as 100,1000,all; smaller sets are part of "
                    "larger ones", flag_values=values)  # fmt: skip
  flags.DEFINE_bool("retry_failed", False, "run failed cells again", flag_values=values)


def run(values: flags.FlagValues, named: Named) -> int:
  """Runs what is missing; prints a row for each cell."""
  if named.specs:
    raise ConfigError(
      f'classical takes flags only, not "{named.specs[0]}"\n'
      "Values go as --flag=value or --config.SECTION.FIELD=VALUE"
    )
  from jaxnets.classical import packages

  packages.require()
  from jaxnets.classical import config, session
  from jaxnets.sweep import folder

  cells = config.cells(
    values.features, values.classifiers, seeds_of(values.seeds or "0"), sizes_of(values.sizes),
    {key: value_of(text) for key, text in named.overrides},
  )  # fmt: skip
  if not values.workdir:
    raise ConfigError(
      "--workdir is missing: where shall the runs be kept?\nFor example --workdir=runs/classical"
    )
  session.check(cells, values.data_dir)
  workdir = Path(values.workdir).absolute()
  rows = []
  with said_to():
    session.declare(workdir, cells)
    for row, result in session.run_cells(
      folder.read(workdir), [cell.hash for cell in cells], values.data_dir, said_to,
      again=values.retry_failed,
    ):  # fmt: skip
      rows.append(row_of(row["config"], result))
      log.info("[%d/%d] %s", len(rows), len(cells), row["folder"])
  return shown(values, rows, workdir)


def sizes_of(words: Sequence[str]) -> list[int]:
  """The sizes of --sizes; 0 for all training images."""
  if not words:
    return [0]
  for word in words:
    if word != "all" and not (word.isdecimal() and int(word)):
      raise ConfigError(f"--sizes={','.join(words)} must be numbers of images, as 100,1000,all")
  return [0 if word == "all" else int(word) for word in words]


def row_of(config: Mapping[str, Any], result: Mapping[str, Any] | Exception) -> dict[str, Any]:
  """A cell as a row of the table, all numbers as they are; an error in place of its numbers."""
  failed = isinstance(result, Exception)
  summary: Mapping[str, Any] = {} if failed else result
  metrics = summary.get("metrics", {})
  return {
    "features": config["pipeline"]["features"],
    "classifier": config["pipeline"]["classifier"],
    "images": config["pipeline"]["images"] or summary.get("images"),
    "seed": config["seed"],
    **{name: metrics.get(name) for name in ("train_top1", "validation_top1", "test_top1")},
    "numbers": summary.get("features"),
    "macs": summary.get("macs"),
    "bytes": summary.get("model_bytes"),
    "fit s": summary.get("seconds_to_fit"),
    "error": str(result).partition("\n")[0] if failed else "",
  }


def shown(values: flags.FlagValues, rows: list[dict[str, Any]], workdir: Path) -> int:
  """Prints the rows, errors only where there are some; the exit code."""
  failed = sum(bool(row["error"]) for row in rows)
  if values.format in ("text", "md"):
    rows = [_rounded(row, bool(failed)) for row in rows]
  title = f"{len(rows) - failed} of {len(rows)} cells done; accuracies in %"
  table.show(rows, values.format, title=title)
  if values.format == "text":
    short = workdir.relative_to(Path.cwd()) if workdir.is_relative_to(Path.cwd()) else workdir
    print(f"folder: {short}\nnext:\n  python launch.py compare {short}")
    if failed:
      print(f"  python launch.py status {short}   # what went wrong; log.txt has the traceback")
  return FAILED if failed else 0


def _rounded(row: dict[str, Any], failed: bool) -> dict[str, Any]:
  """A row for people: shares in percent, without the column of errors where there are none."""
  short = {key: value for key, value in row.items() if failed or key != "error"}
  for key, value in short.items():
    if key.endswith("_top1") and value is not None:
      short[key] = round(100 * value, 2)
  return short
