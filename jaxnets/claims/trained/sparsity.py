"""What is told of sparse activations, and of sparse kernels."""

import functools
import math
import os
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from jaxnets.claims.measures import Measure
from jaxnets.claims.papers import GOOGLENET
from jaxnets.claims.probed import SPARE, ZEROS
from jaxnets.claims.recipes import alexnet, recipe
from jaxnets.claims.study import Arm, Claim, Contrast, Numbers, Overrides, Size, Study, Trial

TIME = Measure("time of the product", lambda run: None, "times", values_in="s")
BREAK_EVEN = Measure("zeros at which sparse is as quick as dense", lambda run: None, "points")
SHARES = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995)  # of zeros
# At which of them dense is compared, by format: half of the arithmetic and a hundredth of it; JAX's
# own product is slower than SciPy's by far, and half is no question.
DECIDING = {"BCOO": (0.9, 0.99), "CSR": (0.5, 0.99)}
SAID = {"BCOO": "JAX's own product", "CSR": "SciPy's CSR"}
TURNS = 15
# 3x3, 512 -> 512 channels, as a matrix; at the places of a map of 14x14.
ROWS, INNER, COLUMNS = 512, 9 * 512, 14 * 14


def _activations(size: Size) -> Study:
  """A VGG net and AlexNet without norm, a ResNet with it, seen at the last step."""
  rate = {"optim.lr": 0.01}
  if size == "pod":
    nets = {"AlexNet": {"net.name": "alexnet"} | rate, "VGG": {"net.name": "vgg16"} | rate,
            "ResNet": {"net.name": "resnet34_a"}}  # fmt: skip
  else:
    stages = 2 if size == "cpu" else 3
    small: Overrides = {"net.stem": "small"} | rate
    of_vgg = {"net.widths": (32, 64, 128)[:stages], "net.units": (2,) * stages, "net.hidden": 256}
    nets = {
      "AlexNet": alexnet(size) | rate,
      "VGG": {"net.name": "vgg11"} | of_vgg | small,
      "ResNet": {"net.name": "cifar_resnet20"},
    }
  base = recipe(size, "resnet34_a" if size == "pod" else "cifar_resnet20")
  base.train.probe_every = base.train.steps
  zeros = (
    Contrast(f"half of the layers of {name}, or more, are zero in more than half of their outputs",
             None, name, ZEROS, 50.0)
    for name in nets
  )  # fmt: skip
  spare = (
    Contrast(f"60 % of {name}'s components hold 90 % of the channels' energy", None, name, SPARE,
             40.0)
    for name in nets
  )  # fmt: skip
  return Study(
    base,
    {name: Arm(overrides) for name, overrides in nets.items()},
    (*zeros, *spare),
    note="in training mode, on the batch of the last step; what is as often above its mean as "
    "below is zero in half of its outputs, as after batch norm, whatever is learned",
  )


def _products(on_host: bool, seed: int) -> Numbers:
  """Logarithms of the seconds of one product, dense and sparse, and where sparse gets even."""
  import jax
  import jax.numpy as jnp
  import numpy as np

  from jaxnets.cost.timing import least_in_turns

  draw = np.random.default_rng(seed)
  weights = draw.standard_normal((ROWS, INNER), np.float32)
  places = draw.standard_normal((INNER, COLUMNS), np.float32)
  thinned = {
    share: np.where(draw.random(weights.shape) < share, np.float32(0), weights) for share in SHARES
  }
  threads = int(os.environ.get("NPROC") or len(os.sched_getaffinity(0)))  # those of dense
  multiply = functools.partial(jax.jit(jnp.matmul), jnp.asarray(weights), jnp.asarray(places))
  # Where a device would round float32 for dense products, it is not to.
  with ThreadPoolExecutor(threads) as pool, jax.default_matmul_precision("highest"):
    runs = {"dense": lambda: multiply().block_until_ready()}
    runs |= {_name(share, "BCOO"): _in_jax(thinned[share], places) for share in DECIDING["BCOO"]}
    if on_host:
      runs |= {_name(at): _by_rows(kept, places, threads, pool) for at, kept in thinned.items()}
    for run in runs.values():
      run()  # compiles
    logs = {name: math.log(least) for name, least in least_in_turns(runs, TURNS).items()}
  found = {TIME.name: logs}
  return found | {BREAK_EVEN.name: {"CSR": break_even(logs)}} if on_host else found


def _in_jax(kept: Any, places: Any) -> Callable[[], Any]:
  """JAX's own sparse product, on the device of the nets."""
  import jax
  import jax.numpy as jnp
  from jax.experimental import sparse

  coordinates = sparse.BCOO.fromdense(jnp.asarray(kept))
  multiply = functools.partial(jax.jit(lambda m, x: m @ x), coordinates, jnp.asarray(places))
  return lambda: multiply().block_until_ready()


def _by_rows(kept: Any, places: Any, threads: int, pool: Executor) -> Callable[[], Any]:
  """SciPy's product on the host: it has one thread and lets others run, each with its rows."""
  import numpy as np
  import scipy.sparse

  parts = [scipy.sparse.csr_array(rows) for rows in np.array_split(kept, threads)]
  return lambda: list(pool.map(lambda part: part @ places, parts))


def _name(share: float, form: str = "CSR") -> str:
  return f"{form}, {100 * share:g} %"


def break_even(logs: dict[str, float]) -> float:
  """Percent of zeros at which CSR takes as long as dense, between those that were timed.

  On the line through the logarithms of time and of the share that is kept; the last share that was
  tried where sparse is slower at all of them, and the first where it is quicker: a bound.
  """
  left = [logs[_name(share)] - logs["dense"] for share in SHARES]
  for number, gap in enumerate(left):
    if gap <= 0:
      if number == 0:
        return 100 * SHARES[0]
      low, high = (math.log(1 - SHARES[i]) for i in (number - 1, number))
      part = left[number - 1] / (left[number - 1] - gap)
      return 100 * (1 - math.exp(low + part * (high - low)))
  return 100 * SHARES[-1]


def _kernels(size: Size) -> Trial:
  on_host = size in ("cpu", "laptop")
  contrasts = tuple(
    Contrast(f"with {100 * share:g} % of the weights zero dense is quicker than {SAID[form]}",
             "dense", _name(share, form), TIME)
    for form in (SAID if on_host else ("BCOO",)) for share in DECIDING[form]
  )  # fmt: skip
  if on_host:
    says = "SciPy's CSR gets as quick as dense beyond three quarters of zeros only"
    contrasts += (Contrast(says, None, "CSR", BREAK_EVEN, 75.0),)
  note = "3x3 on 512 channels at 14x14 places, float32, zeros at random"
  if on_host:
    note += "; CSR has as many threads as dense, each with its rows"
  return Trial(
    functools.partial(_products, on_host),
    {"shares": SHARES, "turns": TURNS, "shape": (ROWS, INNER, COLUMNS), "by_rows": on_host},
    contrasts,
    note=note,
    timed=True,
  )


CLAIMS = (
  Claim(
    "C9",
    "Most activations are zero or redundant",
    f"{GOOGLENET}, section 3; Glorot, Bordes, Bengio 2011",
    "Arora et al. are cited for nets that are large and sparse; that trained dense nets waste "
    "compute on weights near zero is said as a supposition. No share of zeros is measured.",
    "At the end of training more than half of the outputs are zero in half of the layers, and "
    "60 % of the components hold 90 % of the channels' energy, in each of three nets.",
    "50 to 90 % zeros in the late layers of VGG",
    _activations,
  ),
  Claim(
    "C10",
    "Sparse kernels are slower than dense ones",
    f"{GOOGLENET}, section 3",
    "Look-ups and cache misses are said to dominate even if the arithmetic is reduced by a factor "
    "of 100, the more so as libraries for dense products get better.",
    "Dense is quicker than JAX's own sparse product with nine tenths and with 99 % of the weights "
    "zero, the last that factor of 100; on a host than SciPy's with half and with 99 %, and as "
    "quick as that at more than three quarters.",
    "said of GPUs: as quick at 95 % of zeros or more",
    _kernels,
  ),
)
