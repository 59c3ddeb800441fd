"""The real image sets that tests use, where a checkout has them beside it."""

import os
from pathlib import Path

import pytest

from jaxnets.data.prepare import prepare

ORIGINALS = Path(__file__).resolve().parents[2] / "shared" / "data"


def originals(name: str) -> Path:
  """The folder of the published files of a set; skips the test where there is none."""
  folder = ORIGINALS / name
  if not folder.is_dir():
    pytest.skip(f"../shared/data/{name} is not beside the repository")
  return folder


def prepared_directory(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
  """A data_dir that holds set `name`, prepared once in a test session, whatever its workers."""
  source = originals(name)
  root = tmp_path_factory.getbasetemp()
  # The workers of pytest-xdist have folders of their own below the session's; `prepare` locks.
  root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
  prepare(name, data_dir=root / "prepared", source=source)
  return root / "prepared"
