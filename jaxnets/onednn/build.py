"""Finding oneDNN and a compiler, and compiling the sources in this folder against them."""

import contextlib
import fcntl
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shlex
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).with_name("source")
FLAGS = ("-O3", "-march=native", "-mprefer-vector-width=512", "-fopenmp", "-std=c++17",
         "-ffp-contract=fast", "-fPIC", "-shared", "-Wall", "-Wextra")  # fmt: skip
OLDEST = (2, 6)  # of oneDNN that the sources were tried with
# Where oneDNN is looked for: this environment, then the system.
PREFIXES = (
  *map(Path, (sys.prefix, site.getuserbase(), sys.base_prefix)),
  Path("/usr/local"),
  Path("/usr"),
)
FAILURE = "failure.txt"  # the compiler's complaint, beside where the library would be
SECONDS = 1200  # after which the compiler is given up


class UnavailableError(Exception):
  """The kernels cannot be had here; the message says why and what would help."""


class Parts(NamedTuple):
  """What the kernels are made of on this machine."""

  compiler: tuple[str, ...]  # the command
  compiler_version: str
  headers: Path  # folder of dnnl.hpp
  dnnl: Path  # the shared library
  dnnl_version: str
  ffi: Path  # folder of XLA's FFI headers
  jaxlib_version: str


class Library(NamedTuple):
  """The compiled kernels."""

  path: Path
  dnnl: Path
  version: str  # of oneDNN


def find() -> Parts:
  """The parts; quick, and nothing is compiled.

  Raises:
    UnavailableError: one of them is missing, or this processor is not one they are made for.
  """
  if sys.platform != "linux" or platform.machine() != "x86_64":
    # Elsewhere oneDNN falls back on reference loops, slower than XLA.
    raise UnavailableError(f"made for Linux on x86_64, not {sys.platform} on {platform.machine()}")
  headers, dnnl = _find_dnnl()
  compiler = shlex.split(os.environ.get("CXX") or "") or [shutil.which("g++") or "clang++"]
  if not shutil.which(compiler[0]):
    raise UnavailableError("no C++ compiler; install g++")
  jaxlib = importlib.util.find_spec("jaxlib")
  if jaxlib is None or jaxlib.origin is None:
    raise UnavailableError("jaxlib is not installed")
  ffi = Path(jaxlib.origin).parent / "include"
  return Parts(
    tuple(compiler),
    _first_line(*compiler, "--version"),
    headers,
    dnnl,
    _dnnl_version(headers),
    ffi,
    importlib.metadata.version("jaxlib"),
  )


def kept(parts: Parts) -> Path:
  """Where the library compiled from these parts is, once it is.

  One folder for each set of sources, parts, flags and processor: a home folder may be shared by
  machines that differ.
  """
  sums = hashlib.sha256()
  for path in sorted(SOURCE.iterdir()):
    sums.update(path.name.encode() + path.read_bytes())
  machine = (_processor(), platform.libc_ver())
  sums.update(repr((parts, _command(parts, "kernels.so"), machine)).encode())
  cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
  cache = cache / "jaxnets" / "kernels"
  return cache / sums.hexdigest()[:16] / "kernels.so"


def failure(parts: Parts) -> str:
  """Why these parts did not compile the last time; empty when they did, or were not tried."""
  path = kept(parts).with_name(FAILURE)
  return f"they could not be compiled; see {path}, delete it to try again" if path.exists() else ""


def obtain(say=lambda text: None) -> Library:
  """The kernels, compiled now if they are not kept yet.

  Args:
    say: called with a sentence before the compiler is run, which takes 10 to 30 s.

  Raises:
    UnavailableError: they cannot be had; a compiler that failed is not run again for the same
      parts until its complaint is deleted.
  """
  parts = find()
  built = kept(parts)
  if built.exists():
    return Library(built, parts.dnnl, parts.dnnl_version)
  try:
    built.parent.mkdir(parents=True, exist_ok=True)
    with _locked(built.parent):
      if not built.exists() and not failure(parts):
        say("compiling the CPU kernels, once for this machine ...")
        _compile(parts, built)
  except OSError as error:
    raise UnavailableError(f"no place to keep them: {error}") from error
  if failure(parts):
    raise UnavailableError(failure(parts))
  return Library(built, parts.dnnl, parts.dnnl_version)


def _compile(parts: Parts, built: Path) -> None:
  """Makes `built`, or says beside it why not; whole or not at all."""
  with tempfile.TemporaryDirectory(dir=built.parent) as directory:
    made, complaint = Path(directory) / built.name, Path(directory) / FAILURE
    command = _command(parts, str(made))
    try:
      done = subprocess.run(command, cwd=SOURCE, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
      raise UnavailableError(f"the compiler took more than {SECONDS} s") from error
    if done.returncode < 0:  # not its own fault: not kept, so that it is tried again
      raise UnavailableError(f"the compiler was ended by signal {-done.returncode}")
    if done.returncode == 0 and made.exists():
      made.rename(built)
    else:
      complaint.write_bytes(f"{shlex.join(command)}\n".encode() + done.stderr)
      complaint.rename(built.with_name(FAILURE))


def _command(parts: Parts, made: str) -> list[str]:
  """Compiles the sources, from within their folder, into `made`."""
  return [
    *parts.compiler, *FLAGS, "-isystem", str(parts.ffi), "-I", str(parts.headers),
    *sorted(path.name for path in SOURCE.glob("*.cc")), "-o", made, str(parts.dnnl),
    f"-Wl,-rpath,{parts.dnnl.parent}",
  ]  # fmt: skip


def _find_dnnl() -> tuple[Path, Path]:
  """The folder of oneDNN's headers and its library: of this environment, or of the system."""
  found = ""
  for prefix in PREFIXES:
    headers = prefix / "include"
    if not (headers / "dnnl.hpp").exists():
      continue
    major, minor, _ = map(int, _dnnl_version(headers).split("."))
    for place in (prefix / "lib", prefix / "lib64", prefix / "lib" / "x86_64-linux-gnu"):
      for name in sorted(place.glob(f"libdnnl.so.{major}*")):
        if (major, minor) >= OLDEST:
          return headers, name
        found = f"oneDNN {major}.{minor} in {prefix}  is older than 2.6; "
  raise UnavailableError(f'{found or "no oneDNN; "}pip install "jaxnets[cpu]"')


def _dnnl_version(headers: Path) -> str:
  for name in ("oneapi/dnnl/dnnl_version.h", "dnnl_version.h"):
    path = headers / name
    if path.exists():
      numbers = dict(re.findall(r"DNNL_VERSION_(MAJOR|MINOR|PATCH)\s+(\d+)", path.read_text()))
      if len(numbers) == 3:
        return ".".join(numbers[part] for part in ("MAJOR", "MINOR", "PATCH"))
  return "0.0.0"


@functools.cache
def _first_line(*command: str) -> str:
  try:
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
  except (OSError, subprocess.TimeoutExpired) as error:
    raise UnavailableError(f"the C++ compiler does not answer: {error}") from error
  return done.stdout.decode(errors="replace").partition("\n")[0]


def _processor() -> str:
  """What the compiler's -march=native depends on."""
  lines = Path("/proc/cpuinfo").read_text().splitlines()
  wanted = ("vendor_id", "cpu family", "model", "flags")
  return "\n".join(dict.fromkeys(x for x in lines if x.split("\t")[0].strip() in wanted))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
  """One process compiles, the others wait for it."""
  with open(folder / ".lock", "a+") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    yield
