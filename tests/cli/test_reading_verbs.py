"""The verbs that only read never import JAX, and answer at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What a process imports is its time before it answers. On an idle core 300 modules take 0.3 s; JAX
# alone is 700.
MODULES = 320
VERBS = [
  ["list", "nets"], ["list", "data"], ["list", "experiments"], ["show", "resnet50"],
  ["show", "--config=experiments/cifar10_resnet.py:resnet56"], ["doctor"], ["--help"],
  # Single seeds: intervals over several need SciPy, whose modules are 500.
  ["data", "info", "digits"], ["board", "docs/records/classical/fashion_mnist", "--nopage"],
]  # fmt: skip
PROBE = """
import sys
from jaxnets.cli import main
code = main(["launch.py", *sys.argv[1:]])
heavy = {"jax", "flax", "tensorflow_datasets", "grain", "orbax"} & set(sys.modules)
print(code, len(sys.modules), *sorted(heavy), file=sys.stderr)
"""


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_it_answers_at_once_without_jax(words):
  result = subprocess.run(
    [sys.executable, "-c", PROBE, *words], capture_output=True, text=True, cwd=ROOT,
    env=os.environ, check=True,
  )  # fmt: skip
  code, modules, *heavy = result.stderr.splitlines()[-1].split()
  assert (code, heavy) == ("0", [])
  assert int(modules) < MODULES


@pytest.mark.parametrize("words", [["list", "nets", "vgg*"], ["show", "vgg16"], ["doctor"]])
def test_every_format_says_the_same(words):
  said = {}
  for form in ("text", "json", "csv", "md"):
    result = subprocess.run(
      [sys.executable, "launch.py", *words, f"--format={form}"],
      capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    said[form] = result.stdout
  rows = json.loads(said["json"])
  assert len(said["csv"].splitlines()) >= len(rows) + 1
  assert len(said["md"].splitlines()) == len(rows) + 2
  first = str(next(iter(rows[0].values())))
  assert all(first in text for text in said.values())
