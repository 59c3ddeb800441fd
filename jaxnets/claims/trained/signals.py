"""What is told of signals and gradients on their way through deep nets."""

import math

from jaxnets.claims.measures import Measure
from jaxnets.claims.papers import ALEXNET, RESNET
from jaxnets.claims.study import Claim, Contrast, Numbers, Size, Trial

FLAT = "no change"  # an arm whose factor is 1
SHRINKAGE = Measure("shrinkage of the gradient per layer", lambda run: None, "times")
IMAGES = 64


def _shrinkage(depth: int, seed: int) -> Numbers:
  """The factor by which the gradient by a layer's outputs shrinks from layer to layer, at step 0.

  The logarithm of the least-squares factor over `depth` convolutions of 32 channels without norm,
  He's weights, on digits; softmax and cross-entropy above.
  """
  import jax
  import jax.numpy as jnp

  from jaxnets import data, nets
  from jaxnets.instruments.propagation import log_slope, propagation

  source = data.load("digits", "train", validation=0.1, image_size=8)
  assert source.images is not None
  images = jnp.asarray(source.images[:IMAGES], jnp.float32) / 127.5 - 1.0
  labels = jnp.asarray(source.labels[:IMAGES])

  def loss(logits: jax.Array) -> jax.Array:
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()

  factors = {FLAT: 0.0}
  for activation in ("relu", "tanh", "sigmoid"):
    net = nets.build(
      "vgg11", classes=10, units=(depth,), widths=(32,), activation=activation, head="gap",
      dropout=0.0, stem="small",
    )  # fmt: skip
    params, stats = net.init(jax.random.key(seed), (1, *images.shape[1:]))
    flows = jax.jit(lambda p, s, net=net: propagation(net, p, s, images, loss))(params, stats)
    sizes = [flows[f"stage1/conv{i}"].output_gradient for i in range(1, depth + 1)]
    factors[activation] = float(log_slope(jnp.stack(sizes)))
  return {SHRINKAGE.name: factors}


def _vanishing(size: Size) -> Trial:
  depth = {"cpu": 10, "laptop": 10, "gpu": 20, "pod": 30}[size]
  fifth = math.log(1.2)
  return Trial(
    lambda seed: _shrinkage(depth, seed),
    (
      Contrast("sigmoid's gradient at least halves per layer", FLAT, "sigmoid", SHRINKAGE,
               math.log(2)),
      Contrast("ReLU's shrinks by no more than a fifth", "relu", FLAT, SHRINKAGE, -fifth),
      Contrast("and grows by no more than a fifth", FLAT, "relu", SHRINKAGE, -fifth),
      Contrast("tanh's shrinks less than sigmoid's", "tanh", "sigmoid", SHRINKAGE),
    ),
    note=f"{depth} convolutions, weights as initialised; what training makes of it is another "
    "question",
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
    "with ReLU it changes by a fifth at most.",
    "sigmoid, He's weights: a factor of sqrt(2) / 4 = 0.35 per layer; ReLU: 1",
    _vanishing,
  ),
)  # fmt: skip
