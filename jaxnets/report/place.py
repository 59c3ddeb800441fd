"""The folder of a page: what may be written there, and writing it."""

import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path

from jaxnets.errors import ConfigError, DataError

PAGE = "index.html"
EXTRA = ("matplotlib", "jinja2")


def check(out: Path) -> None:
  """Refuses, before anything is computed, what `write` could not do or should not.

  Raises:
    DataError: matplotlib or Jinja is not installed.
    ConfigError: `out` holds other things.
  """
  for name in EXTRA:
    if importlib.util.find_spec(name) is None:
      raise DataError(f'the report needs {name}, not installed here\npip install "jaxnets[report]"')
  if out.exists() and not (out.is_dir() and ((out / PAGE).exists() or not any(out.iterdir()))):
    raise ConfigError(f"--out={out} holds other things\nGive a folder that is not there yet")


def write(out: Path, files: Mapping[str, bytes]) -> Path:
  """Writes the files, by their paths, in folders that then hold nothing else; the page.

  Raises:
    ConfigError: `out` cannot be written.
  """
  try:
    for part in ("figures", "tables", "data"):
      shutil.rmtree(out / part, ignore_errors=True)
    for name, data in files.items():
      path = out / name
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(data)
  except OSError as error:
    raise ConfigError(f"cannot write to --out={out}: {error.strerror}") from error
  return out / PAGE
