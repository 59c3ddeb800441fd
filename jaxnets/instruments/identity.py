"""A deeper net that computes what a given one does: He et al. 2015 (1512.03385), section 1.

"The added layers are identity mapping, and the other layers are copied from the learned shallower
model": by this construction a deeper net need not have a higher training error.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jaxnets import nets
from jaxnets.errors import ConfigError
from jaxnets.instruments.identity_layers import Moments, Tree, add_layers, add_module, add_unit
from jaxnets.nets import Net

KEEPING = ("relu", "identity")  # activations f with f(f(x)) = f(x)
FAMILIES = ("resnet", "vgg", "alexnet", "googlenet", "mlp")
FREE = ("depth", "units", "remat", "dropout")  # axes in which the two nets may differ


def deepen(
  net: Net, deeper: Net, params: Tree, stats: Tree, images: jax.Array, key: jax.Array
) -> tuple[Tree, Tree]:
  """(params, stats) of `deeper`, with which its logits are those of `net`, and can be trained on.

  Layers are added at the end of each stage. A residual unit is added with zeros as its last scale,
  or its last kernel where no norm follows, and its own start otherwise: it gives what it gets to
  the bit, in training too. Shortcuts that all project (option C) pass it up to rounding, as kernels
  of ones with batch norm. Any other layer is added as the identity on what a ReLU gives: a kernel
  of ones at the centre, and batch norm whose moments are those of `images` there and whose scale
  and bias undo them. With batch norm that is the identity up to rounding; in training, as far as a
  batch has the moments of `images`. In an Inception module each branch passes as many channels as
  it is wide; new auxiliary heads have their own start.

  Args:
    net: trained: a residual or plain net, VGG, AlexNet, GoogLeNet without pooling branches, MLP.
    deeper: the same but for its depth or units.
    params, stats: of `net`.
    images: [batch, height, width, channels] as in training.
    key: of the start of new residual units.

  Raises:
    ConfigError: the nets differ in more than depth, or the new layers cannot be the identity.
  """
  check_alike(net, deeper)
  fresh, fresh_stats = map(blocks, deeper.init(key, (1, *images.shape[1:])))
  old, old_stats = blocks(params), blocks(stats)
  sources = sources_of(old, fresh)
  check_deeper(net, deeper, old, sources)
  shortcut = deeper.fields.get("shortcut", "none")
  residual, projecting = shortcut != "none", shortcut == "C"
  moments = {}
  if projecting or not residual:
    moments = moments_by_layer(net, params, stats, images)

  new, new_stats = {}, {}
  for path, source in sources.items():
    if source is not None:
      new[path], new_stats[path] = old[source], old_stats.get(source, {})
      check_shapes(deeper, path, new[path], fresh[path])
      continue
    start = (fresh[path], fresh_stats.get(path, {}))
    if residual:
      check_residual(deeper)
      given = moments[feeding(path, moments)] if projecting else None
      new[path], new_stats[path] = add_unit(deeper, path, *start, given)
    else:
      check_plain(deeper)
      new[path], new_stats[path] = add_block(deeper, path, *start, moments)
  return tree_of(new), tree_of({path: one for path, one in new_stats.items() if one})


def add_block(
  deeper: Net, path: str, block: Tree, stats: Tree, moments: Mapping[str, Moments]
) -> tuple[Tree, Tree]:
  """A block that is not of a residual net as the identity: (params, stats)."""
  if path.endswith("_head"):
    return block, stats  # an auxiliary head has its own loss: logits do not pass it
  if path.startswith("inception"):
    stage = path[: len("inception3")]
    last = [at.rpartition("/")[0] for at in moments if at.startswith(stage)][-1]
    # In the order of concatenation, whatever that of net.branches.
    branches = {
      at.rpartition("/")[2]: its for at, its in moments.items()
      if at.startswith(f"{last}/") and not at.endswith("_reduce")
    }  # fmt: skip
    return add_module(deeper, path, block, stats, branches)
  return add_layers(deeper, path, block, moments[feeding(path, moments)])


def moments_by_layer(net: Net, params: Tree, stats: Tree, images: jax.Array) -> Tree:
  """{layer: the moments of its output}, in the order of computing."""

  def look(params, stats, images):
    found = OrderedDict()
    for path, layer in net.look(params, stats, images)[1].items():
      x = layer.output.reshape(-1, layer.output.shape[-1]).astype(jnp.float32)
      found[path] = Moments(x.mean(0), x.var(0))
    return found

  return jax.jit(look)(params, stats, images)


def feeding(path: str, layers: Mapping[str, Moments]) -> str:
  """The layer of the given net whose output goes into the new block."""
  stage, _, own = path.rpartition("/")
  if stage:
    return [at for at in layers if at.startswith(f"{stage}/") and "projection" not in at][-1]
  if own.startswith("conv"):  # the last one comes behind the new ones
    return [at for at in layers if at.startswith("conv")][-2]
  return [at for at in layers if at.startswith("hidden")][-1]


def sources_of(old: Tree, fresh: Tree) -> dict[str, str | None]:
  """{block of the deeper net: block of the other that it copies, or None for a new one}.

  New ones come after the old ones of their stage, but before the last convolution of AlexNet.
  """
  sources: dict[str, str | None] = {path: path if path in old else None for path in fresh}
  last, end = (
    max((p for p in tree if re.fullmatch(r"conv\d+", p)), key=lambda p: int(p[4:]), default="")
    for tree in (fresh, old)
  )
  if last != end:
    for part in ("", "_norm"):
      if end + part in old:
        sources |= {last + part: end + part, end + part: None}
  return sources


def check_alike(net: Net, deeper: Net) -> None:
  """Refuses nets that differ in another axis than depth, and families without such layers."""
  family, other = (nets.variant(one.name).family for one in (net, deeper))
  if family != other or family not in FAMILIES:
    raise ConfigError(
      f"{deeper.name} ({other}) cannot continue {net.name} ({family}) by layers that are the "
      f"identity\nUse two nets of one of the families {', '.join(FAMILIES)}"
    )
  for axis, value in net.fields.items():
    if axis not in FREE and deeper.fields[axis] != value:
      raise ConfigError(
        f"net.{axis} must be the same in both nets: {value!r} in {net.name}, "
        f"{deeper.fields[axis]!r} in {deeper.name}"
      )


def check_deeper(net: Net, deeper: Net, old: Tree, sources: dict[str, str | None]) -> None:
  """Refuses a net that lacks some of the other's layers."""
  if lost := set(old) - set(sources.values()):
    raise ConfigError(
      f"{deeper.name} lacks layers of {net.name} ({', '.join(sorted(lost))})\n"
      "Give the deeper net second"
    )


def check_shapes(deeper: Net, path: str, got: Tree, wanted: Tree) -> None:
  """Refuses parameters that do not fit in their place."""
  shapes = [jax.tree.map(jnp.shape, tree) for tree in (got, wanted)]
  if shapes[0] == shapes[1]:
    return
  if path.endswith("_head"):
    raise ConfigError(
      f"{path} of {deeper.name} follows a module of more channels than it was trained behind\n"
      "Use as many modules in stage 4, or net.aux=False in both nets"
    )
  raise ConfigError(f"{path} of {deeper.name} has {shapes[1]}, but {shapes[0]} are to be copied")


def check_residual(deeper: Net) -> None:
  """Refuses a residual net in which a unit that adds zero would change something."""
  fields = deeper.fields
  if fields["shortcut"] == "C" and (fields["preactivation"] or fields["norm"] == "group"):
    raise ConfigError(
      "net.shortcut (=C) projects what was rectified or normalises each image, also in new units\n"
      "Use net.shortcut=A or B, or net.norm=batch without net.preactivation"
    )
  if not fields["preactivation"] and fields["activation"] not in KEEPING:
    raise ConfigError(_changes(fields["activation"]))


def check_plain(deeper: Net) -> None:
  """Refuses a net whose norm or activation changes what a new layer gets."""
  fields = deeper.fields
  if fields["activation"] not in KEEPING:
    raise ConfigError(_changes(fields["activation"]))
  if fields["norm"] == "group":
    raise ConfigError(
      "net.norm (=group) normalises each image, so that no new layer gives what it gets\n"
      "Use net.norm=batch or none, or a residual net"
    )
  if not fields.get("shared", True):
    raise ConfigError(
      "net.shared (=False) has weights of its own at each place, which are not made the identity "
      "here\nUse net.shared=True"
    )
  if "pool" in fields.get("branches", ()):
    raise ConfigError(
      "net.branches has pool, which gives the largest of nine places and no module what it gets\n"
      "Use net.branches=1x1,3x3,5x5"
    )
  if fields.get("preactivation"):
    raise ConfigError(
      "net.preactivation rectifies before a convolution, which changes what a new layer gets\n"
      "Use net.preactivation=False, or a residual net"
    )


def _changes(activation: str) -> str:
  return (
    f"net.activation (={activation}) changes what it gave before, so that no new layer is the "
    f"identity\nUse net.activation={' or '.join(KEEPING)}"
  )


def blocks(tree: Tree) -> Tree:
  """{"stem": arrays, "stage1/unit1": arrays, ...}: a tree by what depth counts."""
  found = {}
  for name, inner in tree.items():
    staged = name.startswith("stage")
    found |= {f"{name}/{own}": x for own, x in inner.items()} if staged else {name: inner}
  return found


def tree_of(found: Tree) -> Tree:
  """The tree whose `blocks` are these."""
  tree: Tree = {}
  for path, inner in found.items():
    stage, _, own = path.rpartition("/")
    (tree.setdefault(stage, {}) if stage else tree)[own] = inner
  return tree
