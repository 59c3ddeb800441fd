"""One CPU device, a shared compile cache and a quick compiler; set before JAX is imported.

The programs of the suite are small and run few times: compiling them is its cost, and without the
compiler's optimisations it is a fifth. Side by side, processes have one thread each: two that share
two cores with more threads than that wait for one another, and where the cores are busy with other
work too, training is half as quick.
"""

import importlib.metadata
import os
import time
from pathlib import Path

import pytest

cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "jaxnets" / "xla-tests"
os.environ["JAX_PLATFORMS"] = "cpu"
FLAGS = ["--xla_backend_optimization_level=0", "--xla_llvm_disable_expensive_passes=true"]
if importlib.metadata.version("jaxlib").startswith("0.10."):  # 0.11 does not know this one
  FLAGS.append("--xla_cpu_use_fusion_emitters=false")
if "PYTEST_XDIST_WORKER" in os.environ:
  os.environ.setdefault("OMP_NUM_THREADS", "1")
  os.environ.setdefault("NPROC", "1")
os.environ.setdefault("XLA_FLAGS", " ".join(FLAGS))
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "0")

# Unix time after which no test begins: a machine that is slow for a while ends in time, and the
# summary counts what it did not come to. .ci/run sets it.
UNTIL = float(os.environ.get("JAXNETS_TESTS_UNTIL", "inf"))


def pytest_runtest_setup(item):
  del item
  if time.time() > UNTIL:
    pytest.skip("not begun: the time for tests is over")
