"""What is told of layers that do nothing."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxnets.claims.descent import cross_entropy, digits
from jaxnets.claims.measures import Measure
from jaxnets.claims.papers import RESNET
from jaxnets.claims.study import Claim, Contrast, Numbers, Size, Trial

CHANGE = Measure("change of a logit, of the largest", lambda run: None, "millionths", exact=True)
LOSS = Measure("training loss after going on", lambda run: None, "times")
STEPS, IMAGES, RATE, MOMENTUM = 60, 128, 0.02, 0.9
# Name, its axes, and what is deeper in the other net.
PAIRS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
  "residual": ("cifar_resnet20", {"depth": 8, "width": 0.5}, {"depth": 14}),
  "plain": ("cifar_plain20", {"depth": 8, "width": 0.5}, {"depth": 14}),
  "VGG": (
    "vgg11_bn",
    {"units": (1, 1), "widths": (16, 32), "stem": "small", "hidden": 64, "dropout": 0.0},
    {"units": (2, 2)},
  ),
  # GoogLeNet's modules as far as they can be the identity: nothing passes pooling as it is, nor
  # layers that are narrower than what they feed.
  "Inception": (
    "googlenet_bn",
    {
      "units": (1, 1, 2),
      "width": 0.125,
      "stem": "small",
      "branches": ("1x1", "3x3", "5x5"),
      "reduction": False,
      "dropout": 0.0,
    },
    {"units": (1, 1, 3)},
  ),
}
# Which of them train on, as they are and deeper.
GOING_ON = ("residual", "plain", "VGG")


class _Subject(NamedTuple):
  """A net, its solver, and a compiled step of both."""

  net: Any
  solver: Any
  step: Callable[..., Any]  # (params, stats, momenta, images, labels, key) -> ..., loss


@functools.cache
def _subject(name: str, is_deeper: bool) -> _Subject:
  """A net of PAIRS and its step of gradient descent with momentum, compiled once."""
  import jax
  import optax

  from jaxnets import nets

  family, axes, more = PAIRS[name]
  net = nets.build(family, classes=10, **axes | (more if is_deeper else {}))

  solver = optax.sgd(RATE, MOMENTUM)

  def loss(params, stats, images, labels, key):
    output = net.apply(params, stats, images, train=True, key=key)
    return cross_entropy(output.logits, labels), output.stats

  @jax.jit
  def step(params, stats, momenta, *given):
    (value, stats), grads = jax.value_and_grad(loss, has_aux=True)(params, stats, *given)
    updates, momenta = solver.update(grads, momenta)
    return optax.apply_updates(params, updates), stats, momenta, value

  return _Subject(net, solver, step)


def _trained(subject: _Subject, params: Any, stats: Any, *given: Any) -> tuple[Any, Any, float]:
  """Parameters and statistics after STEPS; the mean loss over the last tenth of them."""
  momenta, losses = subject.solver.init(params), []
  for _ in range(STEPS):
    params, stats, momenta, value = subject.step(params, stats, momenta, *given)
    losses.append(float(value))
  last = losses[-max(1, STEPS // 10) :]
  return params, stats, sum(last) / len(last)


def _measured(seed: int) -> Numbers:
  """How logits change when identity layers are put in, and the losses when both nets train on.

  STEPS on 128 digits, all of them in each step; then as many again, by the net as it is and by the
  deeper one, of the pairs that are GOING_ON.
  """
  import jax
  import jax.numpy as jnp

  from jaxnets.instruments.identity import deepen

  images, labels = digits(IMAGES)
  given = (images, labels, jax.random.key(seed))
  found, on = {}, {}
  for name in PAIRS:
    shallow, deep = _subject(name, False), _subject(name, True)
    params, stats = shallow.net.init(given[-1], (1, *images.shape[1:]))
    params, stats, _ = _trained(shallow, params, stats, *given)
    grown = deepen(shallow.net, deep.net, params, stats, images, given[-1])
    before = shallow.net.apply(params, stats, images).logits
    after = deep.net.apply(*grown, images).logits
    found[name] = 1e6 * float(jnp.abs(after - before).max() / jnp.abs(before).max())
    if name in GOING_ON:
      on[name] = math.log(_trained(shallow, params, stats, *given)[-1])
      on[f"{name}, deeper"] = math.log(_trained(deep, *grown, *given)[-1])
  return {CHANGE.name: found, LOSS.name: on}


def _construction(size: Size) -> Trial:
  del size  # an equation holds at every size
  return Trial(
    _measured,
    {"nets": PAIRS, "steps": STEPS, "images": IMAGES, "rate": RATE, "momentum": MOMENTUM},
    (
      *(
        Contrast(
          f"identity layers leave the logits of the {name} net as they are",
          name,
          None,
          CHANGE,
          -1.0,
        )
        for name in PAIRS
      ),
      *(
        Contrast(
          f"the {name} net trains on to a loss that is at most 2 % higher",
          f"{name}, deeper",
          name,
          LOSS,
          -math.log(1.02),
        )
        for name in GOING_ON
      ),
    ),
    note="a start that is as good is given here; He et al. find that solvers do not get to one. "
    "Inception: GoogLeNet's modules without pooling and reductions, which change what they get",
  )


CLAIMS = (
  Claim(
    "C14",
    "Layers that do nothing can be added to a net, so depth by itself cannot hurt",
    f"{RESNET}, section 1",
    "There exists a solution by construction to the deeper model: the added layers are identity "
    "mapping. Current solvers are unable to find solutions that are comparably good, or unable to "
    "do so in feasible time.",
    "With identity layers put in, the logits of trained nets change by less than a millionth of "
    "the largest, and training goes on to a loss that is at most 2 % higher.",
    "exact for residual units, rounding for others",
    _construction,
  ),
)
