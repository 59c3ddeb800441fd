"""The folder of a page: what may be written there, and writing it."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from jaxnets.errors import ConfigError, DataError
from jaxnets.runs import read_json, write_json

PAGE = "index.html"
LISTED = "files.json"  # what was written there, so that nothing else is taken away
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
  if out.exists() and not (out.is_dir() and ((out / LISTED).exists() or not any(out.iterdir()))):
    raise ConfigError(f"--out={out} holds other things\nGive a folder that is not there yet")


def write(out: Path, files: Mapping[str, bytes]) -> Path:
  """Writes the files, by their paths, in place of those of an earlier page; the page.

  Raises:
    ConfigError: `out` cannot be written.
  """
  try:
    for name in read_json(out / LISTED) or []:
      if (out / name).resolve().is_relative_to(out.resolve()):
        (out / name).unlink(missing_ok=True)
    for name, data in files.items():
      path = out / name
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(data)
    write_json(out / LISTED, sorted(files))
  except OSError as error:
    raise ConfigError(f"cannot write to --out={out}: {error.strerror}") from error
  return out / PAGE
