"""The verbs that only read never import JAX, and answer at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Python functions called until a verb has answered, imports and all, which no busy machine changes.
# 100,000 take about 0.3 s on an idle core; the import of JAX is 300,000, that of scipy.stats more.
CALLS = 130_000
VERBS = [
  ["list", "nets"], ["list", "data"], ["list", "experiments"], ["show", "resnet50"],
  ["show", "--config=experiments/cifar10_resnet.py:resnet56"], ["doctor"], ["--help"],
  # Single seeds: intervals over several need SciPy.
  ["data", "info", "digits"], ["board", "docs/records/classical/fashion_mnist", "--nopage"],
]  # fmt: skip
PROBE = """
import sys
calls = 0
def count(frame, event, argument):
  global calls
  calls += event == "call"
sys.setprofile(count)
from jaxnets.cli import main
code = main(["launch.py", *sys.argv[1:]])
sys.setprofile(None)
heavy = {"jax", "flax", "tensorflow_datasets", "grain", "orbax"} & set(sys.modules)
print(code, calls, *sorted(heavy), file=sys.stderr)
"""


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_it_answers_at_once_without_jax(words):
  result = subprocess.run(
    [sys.executable, "-c", PROBE, *words], capture_output=True, text=True, cwd=ROOT,
    env=os.environ, check=True,
  )  # fmt: skip
  code, calls, *heavy = result.stderr.splitlines()[-1].split()
  assert (code, heavy) == ("0", [])
  assert int(calls) < CALLS


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
