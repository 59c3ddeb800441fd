"""Which form the operations have in this process, and how one comes by it.

Every operation is defined in `plain`. Where the default device is a CPU, another form stands in for
the definition in programs for CPUs, chosen when a program is lowered:

  onednn      C++ on oneDNN, `native`
  plain       JAX alone, `portable`
  definition  none: the definitions themselves, slower, but with derivatives of any order and mode
"""

import contextlib
import functools
import logging
import os
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import jax
from jax import lax

from jaxnets import onednn
from jaxnets.errors import ConfigError

log = logging.getLogger("jaxnets")

VARIABLE = "JAXNETS_KERNELS"
WISHES = ("auto", "onednn", "plain", "definition")
_assumed: list[str] = []


def form() -> str:
  """ "onednn", "plain" or "definition"; decided once in a process, which may compile the C++.

  Inside `assumed` it is what is assumed there.

  Raises:
    ConfigError: as `_decided`.
  """
  return _assumed[-1] if _assumed else _decided()


@functools.cache
def _decided() -> str:
  """The form of this process.

  The environment variable JAXNETS_KERNELS says what is wished for: "auto", the default, is onednn
  on a CPU where it can be had.

  Raises:
    ConfigError: another wish, or onednn is wished for and cannot be had.
  """
  wish = os.environ.get(VARIABLE, "auto")
  if wish not in WISHES:
    raise ConfigError(f"{VARIABLE} (={wish!r}) must be one of {', '.join(WISHES)}")
  if jax.default_backend() != "cpu" and wish != "onednn":
    return "definition"
  if wish in ("plain", "definition"):
    return wish
  try:
    from jaxnets.kernels import calls

    calls.register(onednn.obtain(log.info))
  except onednn.UnavailableError as error:
    if wish == "onednn":
      raise ConfigError(f"no onednn kernels: {error}") from error
    log.debug("no onednn kernels: %s", error)
    return "plain"
  except (OSError, AttributeError) as error:  # compiled, but it does not load
    if wish == "onednn":
      raise ConfigError(f"the onednn kernels do not load: {error}") from error
    log.warning("the CPU kernels were compiled but do not load, JAX alone computes: %s", error)
    return "plain"
  return "onednn"


@contextlib.contextmanager
def assumed(name: str) -> Iterator[None]:
  """Traces inside are to be read, not to be run, and have this form, whether it can be had or not.

  Nothing is compiled or loaded; see `choose`.
  """
  _assumed.append(name)
  try:
    yield
  finally:
    _assumed.pop()


def is_read() -> bool:
  """Whether what is traced now will only be read; see `assumed`."""
  return bool(_assumed)


def foreseen(platform: str) -> str:
  """The form that a process on such devices would have, found without compiling anything.

  Args:
    platform: "cpu" or another.
  """
  wish = os.environ.get(VARIABLE, "auto")
  if wish not in WISHES:
    raise ConfigError(f"{VARIABLE} (={wish!r}) must be one of {', '.join(WISHES)}")
  if platform != "cpu":
    return "definition"
  if wish != "auto":
    return wish
  try:
    return "plain" if onednn.failure(onednn.find()) else "onednn"
  except onednn.UnavailableError:
    return "plain"


def describe() -> str:
  """The form as a run records it: "onednn 3.2.0", "plain" or "definition"."""
  return f"onednn {onednn.find().dnnl_version}" if form() == "onednn" else form()


def on_cpu() -> bool:
  """Whether programs are for a CPU unless they say otherwise, and a form stands in there."""
  return form() != "definition"


def on_cpu_form() -> ModuleType:
  """The module of the CPU's operations."""
  if form() == "onednn":
    from jaxnets.kernels import native as module
  else:
    from jaxnets.kernels import portable as module
  return module


def choose(cpu: Callable[..., Any], plain: Callable[..., Any], *arguments: Any) -> Any:
  """`cpu` of the arguments in programs for a CPU, `plain` of them in all others.

  Inside `assumed` it is `plain` of them as one call named "kernel_" and `plain`'s name: a program
  to be read, in which one sees both what is computed and that a CPU does it at once. What is left
  of `plain` when its partial arguments are taken away must be a function of a module, and those
  hashable: then calls of one kind are traced once.
  """
  if not _assumed:
    return lax.platform_dependent(*arguments, cpu=cpu, default=plain)
  function, given = plain, ()
  if isinstance(plain, functools.partial):
    function, given = plain.func, plain.args
  return _kernel(function)(given, *arguments)


@functools.cache
def _kernel(function: Callable[..., Any]) -> Callable[..., Any]:
  def call(given, *arguments):
    with jax.disable_jit():  # of the functions inside, each of which would be traced by itself
      return function(*given, *arguments)

  call.__name__ = f"kernel_{function.__name__}"
  return jax.jit(call, static_argnums=0)
