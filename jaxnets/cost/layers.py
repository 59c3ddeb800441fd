"""A forward pass by its layers: what is convolved, multiplied, normalised or pooled, and where."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from jaxnets.cost.operation import PRODUCTS, Operation, elementwise_of, macs_of
from jaxnets.cost.program import Program

# What a parameter may go through before it is used.
PASSING = frozenset(
  ("convert_element_type", "reshape", "broadcast_in_dim", "squeeze", "transpose", "copy", "slice")
)
Path = tuple[str, ...]


class Layer(NamedTuple):
  """A row of the table of a net."""

  name: str  # path of its parameters, else its scope on the trace
  op: str  # "conv 3x3/2", "dense", "norm", "max pool 3x3/2", ...
  shape: tuple[int, ...]  # of what it gives
  params: int  # learned values
  macs: int
  elementwise: int  # other scalar operations, up to the next layer
  activations: int  # values that it gives, where it convolves or multiplies
  value: int  # number of what it gives in the program; -1 inside a loop


def find_layers(program: Program, parameters: dict[int, Path]) -> list[Layer]:
  """The layers of a forward pass, in the order of the trace; their sums are those of the program.

  A convolution, a matrix product and a pooling is a layer, with the bias that is added to it, and
  so is every other group of parameters, mostly a norm. All that follows up to the next layer is
  counted with it. Parameters that are used again count once; those that nothing uses, and what is
  computed where there is no layer at all, are in a row "rest".

  Args:
    program: of a forward pass.
    parameters: where each input that is a parameter lies in its tree, by its number.
  """
  sizes: dict[Path, int] = {}
  for number, path in parameters.items():
    group = _group_of(path)
    sizes[group] = sizes.get(group, 0) + math.prod(program.values[number].shape)
  table = _Table(sizes, set(sizes))
  table.write(program, parameters, 1)
  return table.finished()


class _Table:
  """Collects rows while a program and the bodies of its loops are walked."""

  def __init__(self, sizes: dict[Path, int], groups: set[Path]) -> None:
    self.rows: list[Layer] = []
    self.sizes = sizes  # of the groups of parameters that no row has yet
    self.groups = groups
    self.before = 0  # elementwise operations before the first layer

  def write(self, program: Program, parameters: dict[int, Path], times: int) -> None:
    """Adds the rows of a program that runs so often."""
    norms: dict[Path | int, int] = {}  # a norm's group, and the values it gives -> its row
    owners = dict(parameters)
    data = {n for n in program.inputs if n not in parameters}  # depends on more than parameters
    for operation in program.operations:
      owned = [owners[n] for n in operation.reads if n in owners]
      if data.isdisjoint(operation.reads):
        if owned and operation.name in PASSING:
          owners |= dict.fromkeys(operation.writes, owned[0])
      else:
        data.update(operation.writes)
      runs = times * operation.times
      if operation.body is not None:
        given = {inner: owners[n] for inner, n in _carried(operation) if n in owners}
        rounds = 1 if operation.rounds is None else operation.rounds
        self.write(operation.body, given, runs * rounds)
        continue

      group = _group_of(owned[0]) if owned else _group(operation.scope, self.groups)
      is_product, moves = operation.name in PRODUCTS, operation.name in PASSING
      norm = None if group is None else norms.get(group)
      if norm is None and moves:  # the norm's values in another shape
        norm = norms.get(operation.reads[0])
      is_layer = is_product or not data.isdisjoint(operation.writes)
      kind = describe(operation) if is_layer else None
      if norm is not None and not is_product:
        kind, self.rows[norm] = None, _grown(self.rows[norm], operation)
        norms[operation.writes[0]] = norm
      elif kind is None and group in self.sizes and not moves:
        kind = "bias" if operation.name == "add" else "norm"
        norms[group] = norms[operation.writes[0]] = len(self.rows)

      elementwise = runs * elementwise_of(operation)
      if kind is not None:
        groups = dict.fromkeys([group, *map(_group_of, owned)])
        self.add(operation, kind, [g for g in groups if g is not None], times)
      elif self.rows:
        newest = self.rows[-1]
        self.rows[-1] = newest._replace(elementwise=newest.elementwise + elementwise)
      else:
        self.before += elementwise

  def add(self, operation: Operation, kind: str, groups: list[Path], times: int) -> None:
    """The row of an operation that is a layer, with the parameters of those groups."""
    is_product, runs = operation.name in PRODUCTS, times * operation.times
    named = groups and (is_product or groups[0] in self.sizes)
    shape = tuple(operation.gives[0].shape)
    self.rows.append(
      Layer(
        name="/".join(groups[0]) if named else _place(operation, kind),
        op=kind if runs == 1 else f"{kind}, {runs} times",
        shape=shape,
        params=sum(self.sizes.pop(group, 0) for group in groups),
        macs=runs * macs_of(operation),
        elementwise=runs * elementwise_of(operation) + self.before,
        activations=runs * math.prod(shape) if is_product else 0,
        value=operation.writes[0] if times == 1 else -1,
      )
    )
    self.before = 0

  def finished(self) -> list[Layer]:
    """The rows, each with a name of its own, and one for what is left."""
    if self.sizes or self.before:
      params = sum(self.sizes.values())
      self.rows.append(Layer("rest", "", (), params, 0, self.before, 0, -1))
    names = {row.name for row in self.rows}
    seen: set[str] = set()
    for i, row in enumerate(self.rows):
      name, number = row.name, 1
      while name in seen or (number > 1 and name in names):
        number += 1
        name = f"{row.name}{number}"
      seen.add(name)
      self.rows[i] = row._replace(name=name)
    return self.rows


def describe(operation: Operation) -> str | None:
  """ "conv 3x3/2", "dense", "max pool 3x3/2", ...; None for what is no layer by itself."""
  params = operation.params
  if operation.name == "conv_general_dilated":
    kernel = operation.takes[1].shape
    window = [kernel[axis] for axis in params["dimension_numbers"].rhs_spec[2:]]
    text = f"conv {_window(window, params['window_strides'])}"
    if max(params["rhs_dilation"], default=1) > 1:
      text += f" dilated {'x'.join(map(str, params['rhs_dilation']))}"
    groups = params["feature_group_count"]
    return text if groups == 1 else f"{text} in {groups} groups"
  if operation.name == "dot_general":
    return "dense"
  if operation.name.startswith("reduce_window"):
    window, strides = params["window_dimensions"], params["window_strides"]
    wide = [i for i, side in enumerate(window) if side > 1]
    if wide and wide[-1] == len(window) - 1:
      return f"response norm {window[-1]}"
    kind = "max" if operation.name.endswith("max") else "average"
    middle = slice(1, -1) if len(window) > 2 else slice(None)
    return f"{kind} pool {_window(window[middle], strides[middle])}"
  if operation.name in ("reduce_sum", "reduce_max") and len(operation.takes[0].shape) > 3:
    axes, rank = params["axes"], len(operation.takes[0].shape)
    if len(axes) > 1 and 0 not in axes and rank - 1 not in axes:
      return "global max pool" if operation.name.endswith("max") else "global average pool"
  return None


def _window(window: Sequence[int], strides: Sequence[int]) -> str:
  """ "3x3", "7x7/2", "1x7", "3x3/2x1"."""
  stride = str(strides[0]) if len(set(strides)) == 1 else "x".join(map(str, strides))
  return "x".join(map(str, window)) + ("" if stride == "1" or not strides else f"/{stride}")


def _carried(operation: Operation) -> zip:
  """Pairs of an input of a loop's body and the value that the loop reads for it."""
  return zip(operation.body.inputs, operation.reads[-len(operation.body.inputs) :], strict=True)


def _group_of(path: Path) -> Path:
  """What a parameter belongs to: what holds it, or itself where the whole tree does."""
  return path[:-1] or path


def _group(scope: Path, groups: set[Path]) -> Path | None:
  """The group of parameters that a scope is named after, with or without the net's own name."""
  return next((s for s in (scope[1:], scope) if s in groups), None)


def _grown(layer: Layer, operation: Operation) -> Layer:
  """A norm gives what the last operation of its scope gives, if that is all of its values."""
  shape = tuple(operation.gives[0].shape)
  if math.prod(shape) < math.prod(layer.shape):
    return layer
  return layer._replace(shape=shape, value=operation.writes[0] if layer.value >= 0 else -1)


def _place(operation: Operation, kind: str) -> str:
  """The name of a layer without parameters: its scope, without the net's own name, and its kind."""
  scope = [name.partition(".")[0] for name in operation.scope]
  scope = [name for i, name in enumerate(scope) if name and (i == 0 or name != scope[i - 1])]
  word = "_".join(w for w in kind.split() if w.isalpha())
  return "/".join([*scope[1:], word])
