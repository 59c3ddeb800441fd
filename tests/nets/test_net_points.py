"""Random points of each family's axes: all build, and every parameter learns.

The nets run forward and backward with real numbers, one operation at a time: what compiles is then
shared by all points of a family, and after the first ones a point costs 0.1 to 3 seconds.
JAXNETS_POINTS sets how many a family gets; they are the same ones in the same order every time.

    JAXNETS_POINTS=300 pytest tests/nets/test_net_points.py
"""

import os
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import nets
from jaxnets.nets.variants import AXES, CHOICES

POINTS = int(os.environ.get("JAXNETS_POINTS", "2"))
CLASSES, BATCH, FILLINGS = 5, 4, 4

# Small values of the axes that have no list of choices; two or three each, so that shapes recur.
NUMBERS = {
  "width": (0.04, 0.08),
  "kernel": (1, 3),
  "dropout": (0.0, 0.4),
  "norm_epsilon": (1e-5, 1e-3),
  "hidden": (400,),
}
VALUES = {
  "mlp": {"depth": (1, 2, 3, 6), "hidden": (64, 150), "width": (0.5, 1.0)},
  "alexnet": {
    "depth": (6, 7, 8, 9, 12),
    "widths": ((96, 256, 384, 384, 256), (64, 192, 384, 256, 256)),
    "first_kernels": ((), (3, 5)),
    "groups": (1, 2),
    "stem_padding": (0, 2),
  },
  "vgg": {
    "depth": (11, 13, 16, 19),
    "units": ((), (), (1, 1, 1, 1, 1), (1, 2, 3, 1, 1)),
    "widths": ((64, 128, 256, 512, 512),),
    "remat": ((), (1, 3)),
  },
  "googlenet": {
    "depth": (10, 12, 14),
    "units": ((), (1, 1, 1), (1, 2, 1)),
    "branches": (
      ("1x1", "3x3", "5x5", "pool"),
      ("1x1", "3x3", "5x5", "pool"),
      ("3x3",),
      ("1x1", "pool"),
    ),
    "width": (0.04,),
    "bottleneck": (0.5, 1.0),
    "large_kernel": (3, 5),
    "aux_weight": (0.3,),
    "aux_dropout": (0.0, 0.4),
    "remat": ((), (4,), (3, 5)),
  },
  "inception_v3": {
    "width": (0.04,),
    "depth": (33, 38),
    "units": ((), (1, 1, 1), (1, 2, 1)),
    "aux_weight": (0.4,),
    "remat": ((), (2,)),
  },
  "resnet": {
    "depth": (20,),
    "units": ((1, 1, 1), (2, 1, 1), (1, 2, 2)),
    "widths": ((16, 32, 64),),
    "width": (0.25, 0.5),
    "bottleneck": (1.0, 2.0),
    "groups": (1, 2),
    "stem_width": (16,),
    "remat": ((), (2,)),
  },
}
# Pixels with the small stem and with the other: no map shrinks so far that averaging makes it
# constant, which normalisation would turn into zeros.
SIDES = {
  "mlp": (6, 6),
  "alexnet": (31, 131),
  "vgg": (17, 63),
  "googlenet": (16, 127),
  "inception_v3": (15, 139),
  "resnet": (8, 32),
}


def draw_point(family, number):
  """(net, fields, images' side, norm_group) of the point with that number."""
  draw = random.Random(f"{family} {number}")
  values = NUMBERS | VALUES[family]
  fields = {}
  for axis, default in AXES[family].items():
    if isinstance(default, bool):
      fields[axis] = draw.choice((False, True))
    elif axis == "stem":  # large images are slow, one in eight will do
      fields[axis] = "imagenet" if draw.random() < 1 / 8 else "small"
    else:
      fields[axis] = draw.choice(values.get(axis) or CHOICES[family][axis])
  side = SIDES[family][fields.get("stem") == "imagenet"]
  name = draw.choice([name for name, row in nets.VARIANTS.items() if row.family == family])
  return name, fields, side, draw.choice((0, 2))


def fill(path, leaf, draw):
  """Values of the size that a net in training has; nothing zero, unlike many initialisations."""
  kind = path[-1].key
  if kind == "kernel":
    return draw.normal(size=leaf.shape, scale=np.sqrt(2 / np.prod(leaf.shape[:-1])))
  if kind == "scale":
    return draw.uniform(0.7, 1.3, size=leaf.shape)
  return draw.normal(size=leaf.shape, scale=0.2)


def run(net, side, channels, number):
  """Loss and gradients of one batch, with parameters drawn from `number`."""
  draw = np.random.default_rng(number)
  shape = (BATCH, side, side, channels)
  key = jax.random.key(number)
  params, stats = jax.eval_shape(lambda key: net.init(key, shape), key)
  params = jax.tree.map_with_path(
    lambda path, leaf: jnp.asarray(fill(path, leaf, draw), leaf.dtype), params
  )
  stats = jax.tree.map(lambda leaf: jnp.ones(leaf.shape, leaf.dtype), stats)
  images = jnp.asarray(draw.normal(size=shape), jnp.float32)
  target = jax.nn.one_hot(np.arange(BATCH) % CLASSES, CLASSES)

  def loss(params):
    output = net.apply(params, stats, images, train=True, key=key)
    weights = (1.0, *(net.aux_weight,) * len(output.aux))
    heads = (output.logits, *output.aux)
    losses = [-(target * jax.nn.log_softmax(logits)).sum(-1).mean() for logits in heads]
    return sum(w * x for w, x in zip(weights, losses, strict=True))

  return jax.value_and_grad(loss)(params)


def cancelled(path, fields):
  """Whether the loss cannot depend on a parameter: a bias that batch norm takes out again."""
  *_, layer, kind = (key.key for key in path)
  return kind == "bias" and layer.startswith("conv") and fields["norm"] == "batch"


@pytest.mark.parametrize("family", SIDES)
def test_any_point_runs_and_each_of_its_parameters_has_a_gradient(family):
  for number in range(POINTS):
    check_point(family, number)


def check_point(family, number):
  name, fields, side, norm_group = draw_point(family, number)
  point = f"point {number} of {family}: {name} {fields}, {side} px, norm_group {norm_group}"
  net = nets.build(name, classes=CLASSES, norm_group=norm_group, **fields)
  assert net.fields == fields

  # A narrow net of ReLUs can be dead for one filling; what is zero for all is zero by structure.
  silent = None
  for filling in range(FILLINGS):
    loss, gradients = run(net, side, 3, 1000 * number + filling)
    leaves = jax.tree_util.tree_leaves_with_path(gradients)
    assert np.isfinite(loss), point
    assert all(np.isfinite(leaf).all() for _, leaf in leaves), point
    zeros = {jax.tree_util.keystr(path) for path, leaf in leaves if not np.any(leaf)}
    silent = zeros if silent is None else silent & zeros
    if not silent:
      return
  by_design = {jax.tree_util.keystr(path) for path, _ in leaves if cancelled(path, fields)}
  assert silent <= by_design, point
