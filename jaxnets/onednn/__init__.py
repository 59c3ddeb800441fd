"""The C++ kernels for CPUs, built on oneDNN: found, compiled and kept, once for each machine.

    onednn.obtain()    # -> Library(path, version), built if need be; UnavailableError says why not

oneDNN and its headers come with `pip install "jaxnets[cpu]"` or with Debian's libdnnl-dev; a C++
compiler must be there. No JAX is imported here, so that `doctor` can ask quickly.
"""

from jaxnets.onednn.build import (
  Library,
  Parts,
  UnavailableError,
  failure,
  find,
  kept,
  obtain,
)

__all__ = ["Library", "Parts", "UnavailableError", "failure", "find", "kept", "obtain"]
