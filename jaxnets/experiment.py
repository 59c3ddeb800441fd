"""An experiment file: executed for its config and its sweep, read for its question. No JAX here."""

import ast
import contextlib
import importlib.util
import inspect
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxnets.errors import ConfigError, did_you_mean


def config_of(spec: str) -> Any:
  """What `get_config()`, or `get_config(argument)`, of an experiment file returns.

  Raises:
    ConfigError: as `opened`; an argument that the file does not take.
  """
  with opened(spec) as (module, argument):
    if argument and not _takes(module.get_config, 1):
      raise ConfigError(f'takes no argument "{argument}"')
    return _called(module.get_config, argument)


def sweep_of(spec: str, algebra: Any) -> Any:
  """What `get_sweep(algebra)`, or `get_sweep(algebra, argument)`, of an experiment file returns.

  None when the file has no such function; what it generates is a list.

  Raises:
    ConfigError: as `opened`; it returns nothing.
  """
  with opened(spec) as (module, argument):
    if not hasattr(module, "get_sweep"):
      return None
    found = _called(module.get_sweep, algebra, argument)
    if found is None:
      raise ConfigError("get_sweep returned nothing\nIt must end with return")
    return list(found) if isinstance(found, Iterator) else found


def question_of(spec: str) -> str:
  """The first line of the experiment's docstring, up to its question mark."""
  text = (ast.get_docstring(ast.parse(read_source(spec))) or "").strip()
  line = " ".join(text.split("\n\n")[0].split())
  return line.partition("?")[0] + "?" if "?" in line else line


def read_source(spec: str) -> str:
  """The text of the experiment file of "FILE.py:argument"; ConfigError when there is none."""
  path = Path(spec.partition(":")[0])
  if not path.is_file():
    near = did_you_mean(path.name, [p.name for p in path.parent.glob("*.py")])
    raise ConfigError(f'cannot find config "{path}" in {Path.cwd()}.{near}')
  return path.read_text()


@contextlib.contextmanager
def opened(spec: str) -> Iterator[tuple[Any, str]]:
  """An experiment file, executed, with its argument; what goes wrong meanwhile is told as its own.

  Args:
    spec: "FILE.py" or "FILE.py:argument".

  Raises:
    ConfigError: no such file, or whatever went wrong in it, with its line.
  """
  name, _, argument = spec.partition(":")
  path = Path(name)
  read_source(spec)
  module_spec = importlib.util.spec_from_file_location(f"experiment_{path.stem}", path)
  if module_spec is None or module_spec.loader is None:
    raise ConfigError(f'config "{name}" is not a Python file')
  module = importlib.util.module_from_spec(module_spec)
  try:
    module_spec.loader.exec_module(module)
    yield module, argument
  except ConfigError as error:
    raise ConfigError(f"{name} {error}") from error
  except Exception as error:  # whatever a file of the user's may do
    text = str(error)
    if hint := re.search(r'Did you mean "\w+"\?', text):
      text = f"{text.splitlines()[0].split(' object')[0]} {hint[0]}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    at = f", line {lines[-1]}" if lines else ""
    text = text.splitlines()[0] if text else ""
    raise ConfigError(f"{name}{at}: {type(error).__name__}: {text}") from error


def _called(function: Any, *given: Any) -> Any:
  """The function of as many of the arguments as it takes; the last may be one too many."""
  return function(*given) if _takes(function, len(given)) else function(*given[:-1])


def _takes(function: Any, arguments: int) -> bool:
  return len(inspect.signature(function).parameters) >= arguments
