"""One CPU device and a shared compile cache for the suite; set before JAX is imported."""

import os
from pathlib import Path

cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "jaxnets" / "xla-tests"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "0")
