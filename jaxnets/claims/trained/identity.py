"""What is told of layers that do nothing."""

from typing import Any

from jaxnets.claims.measures import Measure
from jaxnets.claims.papers import RESNET
from jaxnets.claims.study import Claim, Contrast, Numbers, Size, Trial

LIMIT = "ten millionths"
CHANGE = Measure("change of a logit, of the largest", lambda run: None, "millionths", exact=True)
STEPS, IMAGES, RATE = 30, 64, 0.05
# Name, its axes, and what is deeper in the other net.
PAIRS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
  "residual": ("cifar_resnet20", {"depth": 8, "width": 0.5}, {"depth": 14}),
  "plain": ("cifar_plain20", {"depth": 8, "width": 0.5}, {"depth": 14}),
  "VGG": (
    "vgg11_bn",
    {"units": (1, 1), "widths": (16, 32), "stem": "small", "hidden": 64, "dropout": 0.0},
    {"units": (2, 2)},
  ),
}


def _change(seed: int) -> Numbers:
  """The largest change of a logit of a net that was trained a little, in millionths of the largest.

  30 steps of gradient descent on 64 digits; then identity layers are put in, and the same digits
  are looked at in evaluation.
  """
  import jax
  import jax.numpy as jnp

  from jaxnets import data, nets
  from jaxnets.instruments.identity import deepen

  source = data.load("digits", "train", validation=0.1, image_size=8)
  assert source.images is not None
  images = jnp.asarray(source.images[:IMAGES], jnp.float32) / 127.5 - 1.0
  labels = jnp.asarray(source.labels[:IMAGES])
  key = jax.random.key(seed)
  found = {LIMIT: 10.0}
  for name, (family, axes, deeper_axes) in PAIRS.items():
    net = nets.build(family, classes=10, **axes)
    deeper = nets.build(family, classes=10, **axes | deeper_axes)

    def loss(params, stats, net=net):
      output = net.apply(params, stats, images, train=True, key=key)
      chosen = jnp.take_along_axis(jax.nn.log_softmax(output.logits), labels[:, None], 1)
      return -chosen.mean(), output.stats

    @jax.jit
    def step(params, stats, loss=loss):
      grads, stats = jax.grad(loss, has_aux=True)(params, stats)
      return jax.tree.map(lambda p, g: p - RATE * g, params, grads), stats

    params, stats = net.init(key, (1, *images.shape[1:]))
    for _ in range(STEPS):
      params, stats = step(params, stats)
    before = net.apply(params, stats, images).logits
    after = deeper.apply(*deepen(net, deeper, params, stats, images, key), images).logits
    change = jnp.abs(after - before).max() / jnp.abs(before).max()
    found[name] = 1e6 * float(change)
  return {CHANGE.name: found}


def _construction(size: Size) -> Trial:
  del size  # an equation holds at every size
  return Trial(
    _change,
    tuple(
      Contrast(f"identity layers leave a {name} net's logits as they are", name, LIMIT, CHANGE)
      for name in PAIRS
    ),
    note="whether training goes on from there no worse is another question; He et al. find that "
    "solvers do not find such solutions",
  )


CLAIMS = (
  Claim(
    "C14",
    "Layers that do nothing can be added to a net, so depth by itself cannot hurt",
    f"{RESNET}, section 1",
    "There exists a solution by construction to the deeper model: the added layers are identity "
    "mapping. Current solvers are unable to find solutions that are comparably good, or unable to "
    "do so in feasible time.",
    "With identity layers put in, the logits of trained nets change by less than ten millionths of "
    "the largest.",
    "exact for residual units, rounding for others",
    _construction,
  ),
)
