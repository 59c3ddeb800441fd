"""An experiment file: executed for its config and its sweep, read for its question. No JAX here."""

import ast
import importlib.util
import inspect
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jaxnets.errors import ConfigError, did_you_mean


def sweep_of(spec: str, algebra: Any) -> list[dict[str, Any]] | None:
  """What `get_sweep(algebra)`, or `get_sweep(algebra, argument)`, of an experiment file returns.

  None when it has no such function.
  """
  if "get_sweep" not in {
    name for node in ast.parse(read_source(spec)).body for name in _names(node)
  }:
    return None

  def listed(function: Any, *given: Any) -> Any:
    cells = function(*given)
    return list(cells) if isinstance(cells, Iterator) else cells

  found = call(spec, "get_sweep", algebra, how=listed)
  if found is None:
    raise ConfigError(f"{spec}: get_sweep returned nothing\nIt must end with return")
  return found


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


def _names(node: ast.stmt) -> list[str]:
  """The names that a statement of a file defines or imports."""
  if isinstance(node, ast.FunctionDef):
    return [node.name]
  if isinstance(node, ast.ImportFrom | ast.Import):
    return [alias.asname or alias.name for alias in node.names]
  if isinstance(node, ast.Assign):
    return [target.id for target in node.targets if isinstance(target, ast.Name)]
  return []


def call(
  spec: str,
  function: str,
  *first: Any,
  how: Callable[..., Any] = lambda called, *given: called(*given),
) -> Any:
  """Executes an experiment file and gives what its function does for `first` and the argument.

  Args:
    spec: "FILE.py" or "FILE.py:argument".
    function: name of the function; the argument goes last, if it takes one.
    *first: its first arguments.
    how: calls it, for what has to happen where its errors are told.

  Raises:
    ConfigError: no such file or function, or whatever went wrong in it, with its line.
  """
  name, _, arg = spec.partition(":")
  path = Path(name)
  read_source(spec)
  module_spec = importlib.util.spec_from_file_location(f"experiment_{path.stem}", path)
  if module_spec is None or module_spec.loader is None:
    raise ConfigError(f'config "{name}" is not a Python file')
  module = importlib.util.module_from_spec(module_spec)
  try:
    module_spec.loader.exec_module(module)
    called = getattr(module, function)
    takes_arg = len(inspect.signature(called).parameters) > len(first)
    if arg and not takes_arg and function == "get_config":
      raise ConfigError(f'takes no argument "{arg}"')
    return how(called, *first, arg) if takes_arg else how(called, *first)
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
