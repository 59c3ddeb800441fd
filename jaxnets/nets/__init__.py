"""The networks: images -> logits, as pairs of pure functions.

    net = nets.build("resnet50", classes=10, width=0.5)
    params, stats = net.init(jax.random.key(0), (1, 224, 224, 3))
    output = net.apply(params, stats, images)        # output.logits: [batch, 10]

Nothing outside this folder sees Flax.
"""

import importlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxnets.nets.variants import AXES, VARIANTS, axes, resolve, variant

if TYPE_CHECKING:
  import jax

__all__ = ["AXES", "VARIANTS", "Net", "Output", "axes", "build", "module", "resolve", "variant"]


class Output(NamedTuple):
  """What a forward pass gives."""

  logits: "jax.Array"  # float32 [batch, classes]
  aux: tuple["jax.Array", ...]  # logits of the auxiliary heads, in training only
  stats: Any  # running averages of batch normalisation after this pass


class Net(NamedTuple):
  """A network as pure functions; parameters and statistics are plain nested dicts of arrays.

  init: (key, image shape [batch, height, width, channels]) -> (params, stats), float32.
  apply: (params, stats, images, *, train=False, key=None) -> Output. Images are
    [batch, height, width, channels]; `key` drives dropout and is needed when `train` is True.
  """

  name: str
  fields: dict[str, Any]
  aux_weight: float  # of the loss of each auxiliary head
  init: Callable[..., tuple[Any, Any]]
  apply: Callable[..., Output]


def module(
  name: str, *, classes: int | None = None, dtype: str = "float32", norm_group: int = 0, **fields
):
  """The Flax module of the net called `name`; what `build` makes its two functions of."""
  row = variant(name)
  values = resolve(name, fields)
  family = importlib.import_module(f"jaxnets.nets.{row.family}")
  return family.NET(
    classes=row.classes if classes is None else classes,
    dtype=dtype,
    norm_group=norm_group,
    **values,
  )


def build(
  name: str, *, classes: int | None = None, dtype: str = "float32", norm_group: int = 0, **fields
) -> Net:
  """The net called `name`, with any of its axes changed.

  Args:
    name: a row of `VARIANTS`.
    classes: length of the logits; the published net's when None.
    dtype: of the computation, "float32" or "bfloat16"; parameters stay float32.
    norm_group: images per batch-norm statistics group; 0 is the whole batch.
    **fields: axes of the family, see `axes(name)`.

  Raises:
    ConfigError: unknown name, axis or value, or an image too small for the net.
  """
  net = module(name, classes=classes, dtype=dtype, norm_group=norm_group, **fields)

  def init(key, shape):
    import jax.numpy as jnp

    variables = net.init(key, jnp.zeros(shape, jnp.float32), train=False)
    return variables["params"], variables.get("batch_stats", {})

  def apply(params, stats, images, *, train=False, key=None):
    if images.ndim != 4:
      raise ValueError(f"images (={images.shape}) must be [batch, height, width, channels]")
    variables = {"params": params, "batch_stats": stats}
    if not train:
      return Output(net.apply(variables, images, train=False), (), stats)
    logits, updates = net.apply(
      variables,
      images,
      train=True,
      rngs=None if key is None else {"dropout": key},
      mutable=["batch_stats", "aux"],
    )
    heads = updates.get("aux", {})
    return Output(
      logits, tuple(heads[h][0] for h in sorted(heads)), updates.get("batch_stats", stats)
    )

  fields = {f: getattr(net, f) for f in axes(name)}
  return Net(name, fields, getattr(net, "aux_weight", 0.0), init, apply)


def count_parameters(params) -> int:
  """Number of learned values in a tree of arrays or of their shapes."""
  import jax

  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
