"""What is told of signals and gradients on their way through deep nets."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxnets.claims.descent import cross_entropy, digits
from jaxnets.claims.measures import Measure
from jaxnets.claims.papers import ALEXNET, RESNET
from jaxnets.claims.study import Claim, Contrast, Numbers, Size, Trial

FLAT = "no change"  # an arm whose factor is 1
SHRINKAGE = Measure("shrinkage of the gradient per layer", lambda run: None, "times")
ACTIVATIONS = ("relu", "tanh", "sigmoid")
IMAGES, CHANNELS, STEPS, RATE = 64, 32, 100, 0.01
LATER = Measure(f"shrinkage per layer after {STEPS} steps", lambda run: None, "times")
DEPTH = {"cpu": 10, "laptop": 10, "gpu": 20, "pod": 30}


class _Subject(NamedTuple):
  """A net, compiled: its convolutions have no norm, and weights as 1502.01852 draws them."""

  init: Callable[..., Any]  # key -> params, stats
  factor: Callable[..., Any]  # (params, stats, images, labels) -> logarithm of the shrinkage
  step: Callable[..., Any]  # likewise -> params


@functools.cache
def _subject(activation: str, depth: int) -> _Subject:
  import jax

  from jaxnets import nets
  from jaxnets.instruments.propagation import log_slope, propagation

  net = nets.build(
    "vgg11", classes=10, units=(depth,), widths=(CHANNELS,), activation=activation, head="gap",
    dropout=0.0, stem="small",
  )  # fmt: skip

  @jax.jit
  def factor(params, stats, images, labels):
    flows = propagation(net, params, stats, images, lambda logits: cross_entropy(logits, labels))
    return log_slope([flows[f"stage1/conv{i}"].output_gradient for i in range(1, depth + 1)])

  @jax.jit
  def step(params, stats, images, labels):
    def loss(params):
      return cross_entropy(net.apply(params, stats, images).logits, labels)

    grads = jax.grad(loss)(params)
    return jax.tree.map(lambda p, g: p - RATE * g, params, grads)

  return _Subject(lambda key: net.init(key, (1, 8, 8, 1)), factor, step)


def _shrinkage(depth: int, seed: int) -> Numbers:
  """The factor by which the gradient by a layer's outputs shrinks from layer to layer.

  The logarithm of the least-squares factor over `depth` convolutions, on digits, with softmax and
  cross-entropy above: at step 0, and after STEPS of gradient descent on them.
  """
  import jax

  given = digits(IMAGES)
  first, later = {FLAT: 0.0}, {FLAT: 0.0}
  for activation in ACTIVATIONS:
    init, factor, step = _subject(activation, depth)
    params, stats = init(jax.random.key(seed))
    first[activation] = float(factor(params, stats, *given))
    for _ in range(STEPS):
      params = step(params, stats, *given)
    later[activation] = float(factor(params, stats, *given))
  return {SHRINKAGE.name: first, LATER.name: later}


def _vanishing(size: Size) -> Trial:
  depth = DEPTH[size]
  return Trial(
    lambda seed: _shrinkage(depth, seed),
    {"activations": ACTIVATIONS, "depth": depth, "channels": CHANNELS, "images": IMAGES,
     "steps": STEPS, "rate": RATE},
    (
      Contrast("sigmoid's gradient at least halves per layer", FLAT, "sigmoid", SHRINKAGE,
               math.log(2)),
      Contrast("ReLU's shrinks by no more than a fifth", "relu", FLAT, SHRINKAGE,
               math.log(0.8)),
      Contrast("and grows by no more than a fifth", FLAT, "relu", SHRINKAGE, -math.log(1.2)),
      Contrast("tanh's shrinks less than sigmoid's", "tanh", "sigmoid", SHRINKAGE),
      Contrast(f"sigmoid's still halves after {STEPS} steps", FLAT, "sigmoid", LATER, math.log(2)),
      Contrast("and ReLU's shrinks less then, too", "relu", "sigmoid", LATER),
    ),
    note=f"{depth} convolutions; the steps are plain gradient descent at {RATE} on {IMAGES} digits",
  )  # fmt: skip


CLAIMS = (
  Claim(
    "C4",
    "Gradients vanish in deep nets with sigmoids, and not with ReLUs",
    f"{ALEXNET}, section 3.1; Glorot and Bengio 2010; He et al. 2015 (1502.01852), section 2.2; "
    f"{RESNET}, section 4.1",
    "A sigmoid's derivative is at most 1/4; ReLU with weights of variance 2 / fan-in keeps the "
    "size. With batch normalisation signals do not vanish, so this is not why deep plain nets "
    "train worse.",
    "Without norm, at the start of training, the gradient at least halves per layer with sigmoid; "
    "with ReLU it changes by a fifth at most, and with tanh it shrinks less than with sigmoid. "
    "After a hundred steps sigmoid's still halves, and ReLU's shrinks less.",
    "sigmoid, He's weights: a factor of sqrt(2) / 4 = 0.35 per layer; ReLU: 1",
    _vanishing,
  ),
)  # fmt: skip
