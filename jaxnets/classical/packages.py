"""The packages of the extra `classical`: whether they are here, and which versions."""

import importlib.metadata
import importlib.util

from jaxnets.errors import DataError

# Module -> name of its distribution.
NEEDED = {"sklearn": "scikit-learn", "skimage": "scikit-image"}


def require() -> None:
  """Raises a DataError that names the first package that is missing."""
  for module, package in NEEDED.items():
    if importlib.util.find_spec(module) is None:
      raise DataError(
        f"the verb classical needs {package}, which is not installed\n"
        'pip install "jaxnets[classical]"'
      )


def versions() -> dict[str, str]:
  """{"scikit-learn": "1.9.1", ...} of what the numbers depend on."""
  return {name: importlib.metadata.version(name) for name in ("numpy", "scipy", *NEEDED.values())}
