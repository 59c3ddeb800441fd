"""The errors a user can mend, each with the exit code that the command line gives for it.

The message is one or two lines: what is wrong with which value, then the nearest fix.
"""

import difflib
from collections.abc import Iterable


class JaxnetsError(Exception):
  """Base of every error that is shown without a traceback."""

  exit_code = 1


class ConfigError(JaxnetsError):
  """A flag, a config field or a workdir is not what it must be."""

  exit_code = 2


class DataError(JaxnetsError):
  """A dataset, a file of it, or an optional dependency is missing or damaged."""

  exit_code = 3


class DivergedError(JaxnetsError):
  """Training left the finite numbers."""

  exit_code = 4


class StoppedError(JaxnetsError):
  """A signal, or the end of its time, stopped the run: the same command goes on."""

  def __init__(self, message: str, exit_code: int):
    super().__init__(message)
    self.exit_code = exit_code


def exit_code_of(error: BaseException) -> int:
  """The exit code that the command line gives for an error."""
  if isinstance(error, KeyboardInterrupt):
    return 130
  return error.exit_code if isinstance(error, JaxnetsError) else 1


def did_you_mean(got: str, choices: Iterable[str]) -> str:
  """' Did you mean "x"?' for the nearest of `choices`, or '' when nothing is near."""
  near = difflib.get_close_matches(got, list(choices), n=1, cutoff=0.6)
  return f' Did you mean "{near[0]}"?' if near else ""
