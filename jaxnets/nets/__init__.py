"""The networks: images -> logits, as pairs of pure functions.

    net = nets.build("resnet50", classes=10, width=0.5)
    params, stats = net.init(jax.random.key(0), (1, 224, 224, 3))
    output = net.apply(params, stats, images)        # output.logits: [batch, 10]

Nothing outside this folder sees Flax.
"""

import contextlib
import functools
import importlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxnets.errors import ConfigError
from jaxnets.nets.variants import AXES, VARIANTS, axes, resolve, variant

if TYPE_CHECKING:
  import jax

  from jaxnets.nets.watched import Layer

__all__ = [
  "AXES",
  "VARIANTS",
  "Net",
  "Output",
  "axes",
  "build",
  "count_parameters",
  "module",
  "resolve",
  "smallest_image",
  "variant",
]

DTYPES = ("float32", "bfloat16")


class Output(NamedTuple):
  """What a forward pass gives."""

  logits: "jax.Array"  # float32 [batch, classes]
  aux: tuple["jax.Array", ...]  # logits of the auxiliary heads, in training only
  stats: Any  # running averages of batch normalisation after this pass


class Net(NamedTuple):
  """A network as pure functions; parameters and statistics are plain nested dicts of arrays.

  init: (key, image shape [batch, height, width, channels]) -> (params, stats), float32.
  apply: (params, stats, images, *, train=False, key=None, dropout=None) -> Output. Images are
    [batch, height, width, channels]; `key` drives dropout and is needed when `train` is True;
    `dropout` is a rate, which may be traced, in place of that of a net that has dropout.
  look: as apply, and nudges={} -> (Output, {path: Layer}) with what every layer gives, in the order
    of computing, jitted too; a path is that of the layer's parameters, "stage1/unit1/conv1", or
    "maps": what a head with global average pooling averages. `nudges`, {path: array}, are added to
    the outputs of layers: a gradient by them is one by the outputs.
  """

  name: str
  fields: dict[str, Any]
  aux_weight: float  # of the loss of each auxiliary head
  init: Callable[..., tuple[Any, Any]]
  apply: Callable[..., Output]
  look: Callable[..., "tuple[Output, dict[str, Layer]]"]


def module(
  name: str, *, classes: int | None = None, dtype: str = "float32", norm_group: int = 0, **fields
):
  """The Flax module of the net called `name`; what `build` makes its two functions of."""
  row = variant(name)
  values = resolve(name, fields)
  if classes is not None and classes < 1:
    raise ConfigError(f"classes (={classes}) must be at least 1")
  if dtype not in DTYPES:
    raise ConfigError(f"dtype (={dtype!r}) must be one of {', '.join(DTYPES)}")
  if norm_group < 0:
    raise ConfigError(f"norm_group (={norm_group}) must be at least 1, or 0 for the whole batch")
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

  @functools.cache
  def drawing(shape, key, is_read):  # what is traced to be read may have another form
    del is_read
    import jax.numpy as jnp

    from jaxnets.nets import learned

    return learned.drawing(
      lambda key: net.init(key, jnp.zeros(shape, jnp.float32), train=False), key
    )

  def init(key, shape):
    import jax

    from jaxnets import kernels

    if len(shape) != 4:
      raise ValueError(f"shape (={shape}) must be [batch, height, width, channels]")
    if not hasattr(key, "dtype"):
      raise TypeError(f"key (={key!r}) must be a random key: jax.random.key(0)")
    with _plain_errors(name, fields):
      kind = jax.ShapeDtypeStruct(key.shape, key.dtype)
      draw = drawing(tuple(shape), kind, kernels.is_read())
    variables = draw(key)
    return variables["params"], variables.get("batch_stats", {})

  def apply(params, stats, images, *, train=False, key=None, dropout=None):
    if images.ndim != 4:
      raise ValueError(f"images (={images.shape}) must be [batch, height, width, channels]")
    variables = {"params": params, "batch_stats": stats}
    with _plain_errors(name, fields):
      if not train:
        return Output(net.apply(variables, images, train=False), (), stats)
      logits, updates = net.apply(
        variables,
        images,
        train=True,
        dropout=dropout,
        rngs=None if key is None else {"dropout": key},
        mutable=["batch_stats", "aux"],
      )
    return Output(logits, _aux(updates), updates.get("batch_stats", stats))

  def look(params, stats, images, *, train=False, key=None, dropout=None, nudges=None):
    from jaxnets.nets import watched

    variables = {
      "params": params,
      "batch_stats": stats,
      watched.NUDGES: watched.nudges_at(nudges or {}),
    }
    with _plain_errors(name, fields):
      logits, updates = net.apply(
        variables,
        images,
        train=train,
        dropout=dropout,
        rngs=None if key is None else {"dropout": key},
        mutable=["batch_stats", "aux", watched.SEEN],
      )
    layers = watched.layers_of(updates[watched.SEEN])
    if strange := set(nudges or {}) - set(layers):
      raise ValueError(f"no layers {sorted(strange)} to nudge; there are {list(layers)}")
    return Output(logits, _aux(updates), updates.get("batch_stats", stats)), layers

  values = {f: getattr(net, f) for f in axes(name)}
  return Net(name, values, getattr(net, "aux_weight", 0.0), init, apply, look)


def _aux(updates) -> tuple["jax.Array", ...]:
  heads = updates.get("aux", {})
  return tuple(heads[head][0] for head in sorted(heads))


def smallest_image(name: str, **fields) -> int:
  """Side, in pixels, of the smallest square image that the net called `name` can take.

  Found by building: a binary search over traced nets, a second or so.
  """
  import jax
  import jax.numpy as jnp

  from jaxnets.nets.parts import ImageSizeError

  net = module(name, **fields)

  def builds(side: int) -> bool:
    image = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    try:
      jax.eval_shape(functools.partial(net.init, train=False), jax.random.key(0), image)
    except ImageSizeError:
      return False
    return True

  low, high = 0, 1  # of which the first does not build and the second will
  while not builds(high):
    low, high = high, 2 * high
  while high - low > 1:
    middle = (low + high) // 2
    low, high = (low, middle) if builds(middle) else (middle, high)
  return high


@contextlib.contextmanager
def _plain_errors(name: str, fields: dict[str, Any]):
  """Says of images that are too small, or of another size than the parameters, what would do."""
  from flax.errors import ScopeParamShapeError

  from jaxnets.nets.parts import ImageSizeError

  try:
    yield
  except ImageSizeError as error:
    side = smallest_image(name, **fields)
    small = "" if fields.get("stem") == "small" else ", or net.stem=small"
    raise ImageSizeError(f"{error}\n{name} takes images of {side}x{side} or more{small}") from None
  except ScopeParamShapeError as error:
    raise ImageSizeError(
      f"parameters of {name} do not fit these images: {str(error).split(' (http')[0]}\n"
      "Give images of the size that the parameters were made for, or a net with net.head=gap"
    ) from None


def count_parameters(params) -> int:
  """Number of learned values in a tree of arrays or of their shapes."""
  import jax

  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
