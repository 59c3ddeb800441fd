"""Arrows point down only: who may import whom, read from the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "jaxnets"

# Room -> rooms it may import, besides itself and errors.
BELOW = {
  "errors": set(),
  "runs": set(),
  "memory": set(),
  "onednn": set(),
  "kernels": {"onednn"},
  "nets": {"kernels"},
  "cost": {"kernels", "nets"},
  "instruments": {"nets"},
  "fields": set(),
  "experiment": set(),
  "config": {"nets", "fields", "experiment"},
  "data": set(),
  "train": {
    "kernels",
    "memory",
    "nets",
    "instruments",
    "data",
    "cost",
    "config",
    "fields",
    "runs",
  },
  "sweep": {"train", "nets", "data", "cost", "config", "experiment", "runs", "memory", "kernels"},
  "report": {"sweep", "config", "runs"},
  "classical": {"train", "sweep", "data", "config", "fields", "runs"},
  "claims": {
    "report",
    "classical",
    "sweep",
    "instruments",
    "data",
    "cost",
    "nets",
    "config",
    "runs",
  },
  "cli": {
    "report",
    "classical",
    "sweep",
    "experiment",
    "claims",
    "train",
    "nets",
    "data",
    "cost",
    "config",
    "fields",
    "runs",
    "memory",
    "onednn",
  },
}
# Library -> the only places that may import it.
FENCES = {
  "flax": ("jaxnets/nets/",),
  "tensorflow_datasets": ("jaxnets/data/",),
  "grain": ("jaxnets/data/",),
  "array_record": ("jaxnets/data/",),
  "PIL": ("jaxnets/data/",),
  "orbax": ("jaxnets/train/checkpoint.py",),
  # grain's worker processes want absl's flags parsed, which its own main would do.
  "absl": ("jaxnets/cli/", "jaxnets/data/batches.py"),
  "sklearn": ("jaxnets/classical/",),
  "skimage": ("jaxnets/classical/",),
  "matplotlib": ("jaxnets/report/",),
  "jinja2": ("jaxnets/report/",),
  "tensorflow": (),
  "clu": (),
  "torch": (),
}
# What nets, kernels, cost and the train step may use: a machine with just these runs them.
LEAN = ("jax", "flax", "optax", "orbax", "numpy", "jaxnets")
LEAN_FILES = [
  "train/step.py",
  "train/state.py",
  "train/score.py",
  "train/optim.py",
  "train/mesh.py",
]


def files():
  return sorted([*PACKAGE.rglob("*.py"), *(ROOT / "experiments").glob("*.py"), ROOT / "launch.py"])


def imports(path: Path) -> set[str]:
  """Dotted names that a file imports, at its top or inside functions."""
  found = set()
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      found |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f"{path} imports relatively"
      found |= {f"{node.module}.{alias.name}" for alias in node.names}
  return found


def room(name: str) -> str:
  parts = name.split(".")
  return parts[1] if len(parts) > 1 else ""


def test_the_rooms_of_this_test_are_the_rooms_of_the_house():
  found = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
  assert found - {"__init__", "__main__"} == set(BELOW)


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_imports_only_what_lies_below_it(path):
  relative = path.relative_to(ROOT)
  for name in imports(path):
    top = name.split(".")[0]
    if top == "jaxnets" and relative.parts[0] == "jaxnets" and path.name != "__main__.py":
      own = relative.with_suffix("").parts[1]
      allowed = {*BELOW.get(own, ()), own, "errors", "__version__"}
      assert room(name) in allowed, f"{relative} ({own}) imports {name}"
    if relative.parts[0] == "experiments":
      assert name.split(".")[0] in ("ml_collections", "math") or name == "jaxnets.config", name
    if top in FENCES:
      assert str(relative).startswith(FENCES[top]), f"{relative} imports {name}"


@pytest.mark.parametrize("folder", ["nets", "kernels", "cost", "instruments"])
def test_nets_kernels_cost_and_instruments_need_only_jax_flax_optax_and_orbax(folder):
  for path in (PACKAGE / folder).rglob("*.py"):
    assert_lean(path)


@pytest.mark.parametrize("name", LEAN_FILES)
def test_the_train_step_needs_only_jax_flax_optax_and_orbax(name):
  assert_lean(PACKAGE / name)


def assert_lean(path: Path):
  import sys

  for name in imports(path):
    top = name.split(".")[0]
    assert top in LEAN or top in sys.stdlib_module_names, f"{path} imports {name}"


def test_no_file_of_the_package_is_longer_than_fits_in_the_head():
  long = {str(p): n for p in PACKAGE.rglob("*.py") if (n := len(p.read_text().splitlines())) > 350}
  assert not long
