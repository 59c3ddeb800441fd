"""Receptive fields against published ones, and against pixels found by gradients and by changes."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnets import kernels, nets
from jaxnets.cost import field as fields
from jaxnets.cost.field import Field, find_fields
from jaxnets.cost.layers import find_layers
from jaxnets.cost.program import trace
from jaxnets.kernels.portable.fusion import computed_once
from jaxnets.nets import parts

NO_EDGE = ((0, 0), (0, 0))
SIDES = (12, 10)  # of the images on which rules are checked pixel by pixel


def shape(*sizes):
  return jax.ShapeDtypeStruct(sizes, jnp.float32)


def convolve(x, height, width, stride=(1, 1), padding=NO_EDGE, dilation=(1, 1), holes=(1, 1)):
  """A convolution with all weights 1, so that nothing cancels; as many channels out as in."""
  kernel = jnp.ones((height, width, x.shape[-1], x.shape[-1]))
  numbers = ("NHWC", "HWIO", "NHWC")
  return lax.conv_general_dilated(x, kernel, stride, padding, holes, dilation, numbers)


def pool(x, reduction, window, stride, padding=NO_EDGE):
  start = -jnp.inf if reduction is lax.max else 0.0
  edges = ((0, 0), *padding, (0, 0))
  return lax.reduce_window(x, start, reduction, (1, *window, 1), (1, *stride, 1), edges)


def field_of(function, *sizes, axes=(1, 2)):
  """Field of what a function gives on an image of these sizes."""
  program = trace(function, shape(*sizes))
  return find_fields(program, program.inputs[0], axes)[program.outputs[0]]


# Published nets.


@functools.cache
def program_of(name, side):
  net = nets.build(name)
  params, stats = jax.eval_shape(lambda: net.init(jax.random.key(0), (1, side, side, 3)))
  return trace(lambda p, s, x: net.apply(p, s, x).logits, params, stats, shape(1, side, side, 3))


def last_maps(name, side):
  """Field of the maps that the head takes: the last pooling, or what global pooling reads."""
  program = program_of(name, side)
  paths = zip(program.inputs, program.paths, strict=True)
  layers = find_layers(program, {n: path[1:] for n, path in paths if path[0] == "0"})
  found = find_fields(program, program.inputs[-1])
  assert found[layers[-1].value].text == "image"
  layer = [layer for layer in layers if "pool" in layer.op][-1]
  if layer.op != "global average pool":
    return found[layer.value]
  reader = next(o for o in program.operations if layer.value in o.writes)
  return found[reader.reads[0]]


# Sizes, strides and paddings of AlexNet, VGG-16, ResNet-50 and Inception-v3 are in the table of the
# library of Araujo et al. (github.com/google-research/receptive_field, README). The padding of its
# ResNet-50 is 239: the first pooling, at stride 2, pads after the map there, and before it here.
@pytest.mark.parametrize(
  ("name", "side", "size", "padding"),
  [
    ("alexnet", 227, 195, 64),
    ("vgg11", 224, 150, 59),
    ("vgg16", 224, 212, 90),
    ("resnet50_v1", 224, 483, 239 + 2),
    ("resnet50", 224, 427, 213),
    ("inception_v3", 299, 1311, 618),
  ],
)
def test_published_nets_have_their_published_fields(name, side, size, padding):
  assert last_maps(name, side) == ((size, size), (32, 32), (padding, padding))


def test_googlenet_sees_what_the_windows_of_its_longest_path_add_up_to():
  """Szegedy et al. 2014, table 1: kernel and stride from the image to the end of module 5b."""
  stem = [(7, 2), (3, 2), (1, 1), (3, 1), (3, 2)]
  path = [*stem, *[(5, 1)] * 2, (3, 2), *[(5, 1)] * 5, (3, 2), *[(5, 1)] * 2]
  strides = np.cumprod([1] + [stride for _, stride in path])
  size = 1 + sum((kernel - 1) * s for (kernel, _), s in zip(path, strides, strict=False))
  assert (
    last_maps("googlenet", 224)[:2] == ((size, size), (strides[-1],) * 2) == ((715,) * 2, (32,) * 2)
  )


def test_a_map_of_one_pixel_has_the_field_of_a_larger_one():
  assert last_maps("resnet50", 32) == last_maps("resnet50", 224)


@pytest.mark.parametrize(("layers", "side"), [(1, 3), (2, 5), (3, 7)])
def test_stacked_3x3_convolutions_see_5_and_7_pixels(layers, side):
  """Simonyan and Zisserman 2014 (1409.1556), section 2.3."""
  same = ((1, 1), (1, 1))

  def stack(x):
    for _ in range(layers):
      x = jax.nn.relu(convolve(x, 3, 3, padding=same))
    return x

  field = field_of(stack, 1, 16, 16, 3)
  assert field == ((side, side), (1, 1), (layers, layers))
  assert field.text == str(side)


# Nets against the gradient of one unit. It must be of a unit whose field lies inside the image, of
# weights that are all positive, and must not pass through a maximum, of which only the winner has a
# gradient: there the sum of the same windows stands in. The fields are of the nets as they are.


def inner_unit(field):
  """Index of a unit, the first pixels of its field, two or more inside the image, and its sides."""
  axes = list(zip(*field, strict=True))
  index = [math.ceil((padding + 2) / stride) for _, stride, padding in axes]
  starts = [stride * i - padding for i, (_, stride, padding) in zip(index, axes, strict=True)]
  sides = [start + size + 2 * stride for start, (size, stride, _) in zip(starts, axes, strict=True)]
  return index, starts, sides


def assert_reaches(gradient, starts, sizes):
  """Whether the first and last pixels of an image's gradient are those of the field."""
  for axis, (start, size) in enumerate(zip(starts, sizes, strict=True)):
    lines = np.flatnonzero(np.any(gradient, (0, 2 - axis, 3)))
    assert (lines[0], lines[-1]) == (start, start + size - 1)


def random_layer(rng, stride):
  """A convolution or pooling with random windows, as a function of (x, reduction for a maximum)."""
  kernel = rng.integers(1, 6, 2).tolist()
  padding = rng.integers(0, 4, (2, 2)).tolist()
  if rng.random() < 0.3:
    window = np.maximum(kernel, 2).tolist()
    padding = np.minimum(padding, np.subtract(window, 1)[:, None]).tolist()
    is_max = rng.random() < 0.5
    return lambda x, maximum: pool(x, maximum if is_max else lax.add, window, stride, padding)
  dilation = rng.integers(1, 4, 2).tolist()
  return lambda x, _: convolve(x, *kernel, stride, padding, dilation)


def chain(layers):
  return lambda x, maximum: functools.reduce(lambda x, layer: layer(x, maximum), layers, x)


def random_module(rng):
  """Branches of one stride, cut to one size, and concatenated or added."""
  stride = rng.integers(1, 3, 2).tolist()
  branches = []
  for _ in range(rng.integers(1, 4)):
    strides = [stride, *[(1, 1)] * rng.integers(2)]
    branches.append(chain([random_layer(rng, s) for s in rng.permutation(strides).tolist()]))
  if rng.random() < 0.5:
    branches.append(lambda x, _: convolve(x, 1, 1, stride))
  adds = rng.random() < 0.5

  def module(x, maximum):
    maps = [branch(x, maximum) for branch in branches]
    height, width = (min(m.shape[axis] for m in maps) for axis in (1, 2))
    maps = [m[:, :height, :width] for m in maps]
    return functools.reduce(jnp.add, maps) if adds else jnp.concatenate(maps, -1)

  return module


@pytest.mark.parametrize("seed", range(50))
def test_the_field_of_a_random_net_is_what_the_gradient_of_a_unit_reaches(seed):
  rng = np.random.default_rng(seed)
  net = chain([random_module(rng) for _ in range(rng.integers(2, 4))])
  field = field_of(lambda x: net(x, lax.max), 1, 400, 400, 1)
  (row, column), starts, sides = inner_unit(field)
  assert field_of(lambda x: net(x, lax.max), 1, *sides, 1) == field
  gradient = jax.jit(jax.grad(lambda x: net(x, lax.add)[0, row, column].sum()))
  assert_reaches(gradient(jnp.ones((1, *sides, 1))), starts, field.size)


def positive(tree):
  """Weights that average, and norms that change nothing."""
  values = {"bias": 0.0, "mean": 0.0, "scale": 1.0, "variance": 1.0}

  def value(path, leaf):
    return np.full(leaf.shape, values.get(path[-1].key, 1 / math.prod(leaf.shape[:-1])), np.float32)

  return jax.tree_util.tree_map_with_path(value, tree)


@pytest.mark.parametrize(
  ("name", "changes", "text"),
  [
    ("googlenet", {"width": 0.05}, "715"),
    ("cifar_resnet20", {"width": 0.25, "units": (1, 2, 1)}, "33"),
    ("cifar_resnet20_b", {"width": 0.25, "units": (2, 1, 2)}, "45"),
  ],
)
def test_the_field_of_a_net_is_what_the_gradient_of_a_unit_reaches(
  name, changes, text, monkeypatch
):
  monkeypatch.setattr(parts, "classify", lambda x, *_, **__: x)  # the maps instead of the logits

  def built(side, **more):
    net = nets.build(name, classes=2, **changes, **more)
    shapes = jax.eval_shape(lambda: net.init(jax.random.key(0), (1, side, side, 3)))
    return lambda x, params, stats: net.apply(params, stats, x).logits, shapes

  maps, shapes = built(160)
  program = trace(maps, shape(1, 160, 160, 3), *shapes)
  field = find_fields(program, program.inputs[0])[program.outputs[0]]
  assert field.text == text
  (row, column), starts, sides = inner_unit(field)
  if name == "googlenet":
    maps, shapes = built(160, pooling="average")
  gradient = jax.jit(jax.grad(lambda x, *trees: maps(x, *trees)[0, row, column].sum()))
  images = jnp.ones((1, *sides, 3))
  assert_reaches(gradient(images, *map(positive, shapes)), starts, field.size)


# The rules one by one.


def seen_pixels(function):
  """Whether each pixel changes each unit: bool [height, width, height', width'].

  A batch of images with a single pixel of 1 shows it where nothing cancels, maxima included.
  """
  pixels = math.prod(SIDES)
  images = jnp.eye(pixels).reshape(pixels, *SIDES, 1)
  seen = np.asarray(function(images) != function(jnp.zeros_like(images))).any(3)
  return seen.reshape(*SIDES, *seen.shape[1:])


def assert_sees(field, seen, *, exact=True):
  """Whether no unit sees anything outside of its window, and the windows are not too large.

  All windows inside the image start and end with pixels that are seen, or, unless `exact`, some
  start and some end with them.
  """
  for axis, (size, stride, padding) in enumerate(zip(*field, strict=True)):
    side, meets = SIDES[axis], []
    lines = seen.any((1 - axis, 3 - axis))  # [pixels of the axis, indices of the axis]
    for i in range(lines.shape[1]):
      window = range(stride * i - padding, stride * i - padding + size)
      touched = np.flatnonzero(lines[:, i])
      assert set(touched) <= set(window)
      if stride and window[0] >= 0 and window[-1] < side:
        meets.append([end in touched for end in (window[0], window[-1])])
    assert stride == 0 or np.all(np.all(meets, 0) if exact else np.any(meets, 0))
    assert stride == 0 or meets


def normalised_between_convolutions(x):
  """The maps go through [1, batch * height * width, channels], as in batch norm at inference."""
  x = convolve(x, 3, 1, (2, 1))
  x = kernels.normalise(x, jnp.zeros((1, 1)), jnp.ones((1, 1)), jnp.ones(1), jnp.zeros(1), 0.0)
  return convolve(x, 1, 3)


def channels_first(x):
  x = jnp.transpose(x, (0, 3, 1, 2))
  x = lax.conv_general_dilated(x, jnp.ones((1, 1, 3, 2)), (1, 2), "VALID")
  return jnp.transpose(x, (0, 2, 3, 1))


def to_channels_first(x):
  numbers = ("NHWC", "HWIO", "NCHW")
  y = lax.conv_general_dilated(x, jnp.ones((3, 2, 1, 1)), (1, 1), "VALID", None, None, numbers)
  return convolve(jnp.transpose(y, (0, 2, 3, 1)), 2, 1)


def dilated_pool(x):
  window, dilation = (1, 3, 2, 1), (1, 2, 3, 1)
  return lax.reduce_window(
    x, -jnp.inf, lax.max, window, (1, 2, 1, 1), "VALID", window_dilation=dilation
  )


def general_pool(x):
  """A reduction that has no name of its own."""
  edges = ((0, 0), (1, 0), (0, 0), (0, 0))
  window, stride = (1, 3, 1, 1), (1, 2, 1, 1)
  return lax.reduce_window(x, np.float32(0), lambda a, b: a + b + a * b, window, stride, edges)


def product(x):
  """Of two values that both depend on the image, one of them along other axes."""
  y = jnp.swapaxes(1 + convolve(x, 3, 1, padding=((1, 1), (0, 0))), 1, 3)
  return jnp.einsum("bhwc,bdwh->bhwcd", 1 + x, y)[..., 0]


def multiplied_from_the_left(x):
  y = lax.dot_general(jnp.ones((2, 1)), x, (((1,), (3,)), ((), ())))
  return convolve(jnp.transpose(y, (1, 2, 3, 0)), 3, 1)


def on_channels(x):
  """Operations on channels alone, and such as change the number of axes."""
  x = jnp.concatenate([x, x], -1)
  x = kernels.local_response_norm(x).sum(-1)
  x = jnp.cumsum(jnp.stack(jnp.unstack(jnp.stack([x, x], 1), axis=1), -1), -1)
  return jnp.sort(jnp.tile(x[..., None], 2), -1).max(4)


def layers_in_a_scan(x):
  """Five layers whose weights are slices of one array."""

  def layer(x, weight):
    return weight * convolve(x, 3, 2, padding=((1, 1), (1, 0))), None

  return lax.scan(layer, x, jnp.ones(5))[0]


def swapped_in_a_scan(x):
  """Of five rounds, the first value takes part in three."""

  def layer(pair, _):
    return (pair[1], convolve(pair[0], 2, 1, padding=((1, 0), (0, 0)))), None

  return lax.scan(layer, (x, jnp.zeros_like(x)), None, length=5)[0][1]


def added_in_a_scan(x):
  """Three rounds from zero on, each with the image."""

  def layer(y, _):
    return convolve(y, 3, 1, padding=((1, 1), (0, 0))) + x, None

  return lax.scan(layer, jnp.zeros_like(x), None, length=3)[0]


def stacked_by_a_scan(x):
  """What each of three rounds begins with, summed."""

  def layer(x, _):
    return convolve(x, 1, 3, padding=((0, 0), (1, 1))), x

  return lax.scan(layer, x, None, length=3)[1].sum(0)


def alternating_in_a_scan(x):
  """Of three rounds the second gives the wider value."""

  def layer(pair, _):
    return pair[::-1], pair[0]

  return lax.scan(layer, (x[:, :-2], convolve(x, 3, 1)), None, length=3)[1].sum(0)


def padded_and_cut(x):
  return lax.pad(x, 0.0, ((0, 0, 0), (-3, 1, 0), (1, -2, 0), (0, 0, 0)))


def turned(x):
  return jnp.swapaxes(convolve(jnp.swapaxes(x, 1, 2), 2, 3), 1, 2)


# Of each axis size, stride and padding.
CASES = {
  "padding": (padded_and_cut, (1, 1, -3), (1, 1, 1)),
  "slice": (lambda x: x[:, 2:11:3, 1:], (1, 3, -2), (1, 1, -1)),
  "split": (lambda x: jnp.split(x, [5], 1)[1], (1, 1, -5), (1, 1, 0)),
  "mirrored": (lambda x: convolve(x[:, ::-1], 3, 1, (2, 1)), (3, -2, -9), (1, 1, 0)),
  "channels first": (channels_first, (3, 1, 0), (2, 2, 0)),
  "to channels first": (to_channels_first, (4, 1, 0), (2, 1, 0)),
  "turned": (turned, (3, 1, 0), (2, 1, 0)),
  "merged and taken apart": (normalised_between_convolutions, (3, 2, 0), (3, 1, 0)),
  "split by a reshape": (lambda x: x.reshape(-1, 6, 2, 10, 1).sum(2), (2, 2, 0), (1, 1, 0)),
  "dilated pooling": (dilated_pool, (5, 2, 0), (4, 1, 0)),
  "general pooling": (general_pool, (3, 2, 1), (1, 1, 0)),
  "matrix product": (lambda x: x @ jnp.ones((1, 2)), (1, 1, 0), (1, 1, 0)),
  "product from the left": (multiplied_from_the_left, (3, 1, 0), (1, 1, 0)),
  "product": (product, (3, 1, 1), (1, 1, 0)),
  "channels": (on_channels, (1, 1, 0), (1, 1, 0)),
  "halves": (lambda x: jnp.concatenate([x[:, :5], x[:, 5:]], 1), (1, 1, 0), (1, 1, 0)),
  "zeros": (lambda x: jnp.concatenate([0 * x[:, :0], x], 1), (1, 1, 0), (1, 1, 0)),
  "selection": (lambda x: jnp.where(x > 0, jnp.clip(x, 0, 2), x), (1, 1, 0), (1, 1, 0)),
  "fence": (lambda x: computed_once(convolve(x, 3, 2)), (3, 1, 0), (2, 1, 0)),
  "barrier": (lambda x: lax.optimization_barrier((convolve(x, 2, 2), x))[1], (1, 1, 0), (1, 1, 0)),
  "written over": (lambda x: (2 * x).at[:, ::2].multiply(0.5), (1, 1, 0), (1, 1, 0)),
  "layers in a scan": (layers_in_a_scan, (11, 1, 5), (6, 1, 5)),
  "swapped in a scan": (swapped_in_a_scan, (4, 1, 3), (1, 1, 0)),
  "added in a scan": (added_in_a_scan, (5, 1, 2), (1, 1, 0)),
  "alternating in a scan": (alternating_in_a_scan, (3, 1, 0), (1, 1, 0)),
  "stacked by a scan": (stacked_by_a_scan, (1, 1, 0), (5, 1, 2)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_unit_sees_its_window_and_nothing_else(case):
  function, *axes = CASES[case]
  field = field_of(function, 1, *SIDES, 1)
  assert field == Field(*zip(*axes, strict=True))
  assert_sees(field, seen_pixels(function))


def pool_over_holes(x):
  ones, edges = (1, 1, 1, 1), ((0, 0), (1, 1), (1, 1), (0, 0))
  return lax.reduce_window(x, 0.0, lax.add, (1, 3, 2, 1), ones, edges, base_dilation=(1, 2, 2, 1))


@pytest.mark.parametrize(
  ("upsample", "height", "width"),
  [
    (lambda x: convolve(x, 3, 2, padding=((1, 1), (1, 1)), holes=(2, 2)), (4, 1, 1), (3, 1, 1)),
    (pool_over_holes, (4, 1, 1), (3, 1, 1)),
    (lambda x: lax.pad(x, 0.0, ((0, 0, 0), (1, 0, 1), (0, 0, 1), (0, 0, 0))), (2, 1, 1), (2, 1, 0)),
  ],
)
def test_between_holes_windows_end_where_that_of_some_unit_does(upsample, height, width):
  """As in a transposed convolution, where units see fewer values on one side or on the other."""

  def upsampled(x):
    return upsample(pool(x, lax.add, (2, 2), (2, 2)))

  field = field_of(upsampled, 1, *SIDES, 1)
  assert field == Field(*zip(height, width, strict=True))
  assert_sees(field, seen_pixels(upsampled), exact=False)


@pytest.mark.parametrize("stride", [1, 3])
def test_windows_that_would_move_by_halves_of_a_pixel_are_whole(stride):
  def upsampled(x):
    return convolve(x[:, ::stride, ::stride], 3, 3, holes=(2, 2))

  assert field_of(upsampled, 1, *SIDES, 1) == (SIDES, (0, 0), (0, 0))


def slices_of_their_own(x):
  """Of every image a part that starts where a value for this image says."""
  slice_rows = functools.partial(lax.dynamic_slice_in_dim, slice_size=4)
  return jax.vmap(slice_rows)(x, jnp.full(len(x), 3))


def repeated_row(x):
  return lax.broadcast_in_dim(pool(x, lax.add, (12, 1), (1, 1)), x.shape, (0, 1, 2, 3))


def last_of_rows(x):
  """As many channels as there are rows: the axis of the rows must not be taken for theirs."""
  rows = jnp.moveaxis((x @ jnp.ones((1, 12)))[:, :, None], 1, 0)
  return lax.scan(lambda _, row: (row, None), jnp.zeros(rows.shape[1:]), rows)[0]


ALONG = {
  "reduction": lambda x: x.mean(1, keepdims=True) + x,
  "argmax": lambda x: x.argmax(1, keepdims=True) + x,
  "running sum": lambda x: jnp.cumsum(x, 1),
  "sorting": lambda x: jnp.sort(x, 1),
  "gather": lambda x: x[:, jnp.array([1, 2, 5])],
  "dynamic slice": lambda x: lax.dynamic_slice_in_dim(x, 2, 3, 1),
  "dynamic update": lambda x: lax.dynamic_update_slice(x, x[:, :3], (0, 2, 0, 0)),
  "repeated row": repeated_row,
  "slices apart": slices_of_their_own,
  "one row": lambda x: x[:, 3][:, None],
  "unstacked row": lambda x: jnp.unstack(x, axis=1)[3][:, None],
  "tiles": lambda x: jnp.tile(x, (1, 2, 1, 1)),
  "twice": lambda x: jnp.concatenate([x, x], 1),
  "edge padding": lambda x: jnp.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)), mode="edge"),
  "contraction": lambda x: jnp.einsum("bhwc,hk->bkwc", x, jnp.ones((12, 5))),
  "strides that disagree": lambda x: x[:, ::2] + x[:, :6],
  "last of rows": last_of_rows,
  "loop over rows": lambda x: jnp.moveaxis(lax.map(lambda r: 2 * r, jnp.moveaxis(x, 1, 0)), 0, 1),
}


@pytest.mark.parametrize("case", ALONG)
def test_what_mixes_an_axis_sees_it_whole_and_leaves_the_other_alone(case):
  field = field_of(ALONG[case], 1, *SIDES, 1)
  assert field == ((12, 1), (0, 1), (0, 0))
  assert (field.whole, field.text) == (False, "12x1")
  assert_sees(field, seen_pixels(ALONG[case]))


def group_norm(x):
  grouped = x.reshape(x.shape[0], -1, 1, x.shape[-1])
  return ((grouped - grouped.mean((1, 3), keepdims=True)) / 2).reshape(x.shape)


def batch_norm_in_training(x):
  return kernels.batch_norm(x, jnp.ones(1), jnp.zeros(1), group=1, epsilon=1e-5)[0]


def growing(rounds):
  layer = functools.partial(convolve, height=3, width=3, padding=((1, 1), (1, 1)))
  return lambda x: lax.scan(lambda x, _: (layer(x), None), x, None, length=rounds)[0]


def correlated_with_the_image(x):
  numbers = ("NHWC", "HWIO", "NHWC")
  kernel = x[0, :, :, :, None]
  return lax.conv_general_dilated(
    jnp.ones((12, 20, 20, 1)), kernel, (1, 1), "VALID", None, None, numbers
  )


def reordered_rows(x):
  return jnp.zeros_like(x).at[:, np.arange(12)[::-1]].set(x)


def regrouped_with_copies(x):
  """The rows of three copies as 2 x 9 pairs, where every 6 make up a copy."""
  return jnp.stack([x, x, x]).reshape(2, 9, 20)[::-1].reshape(3, 6, 20)


def regrouped_unevenly(x):
  """Of seven copies with 12 rows each, 7 rows at a time."""
  return jnp.stack([x] * 7).reshape(12, 70).reshape(12, 70, 1)


WHOLE = {
  "global pooling": lambda x: x.mean((1, 2)),
  "flattening": lambda x: x.reshape(x.shape[0], -1),
  "dense layer": lambda x: x.reshape(x.shape[0], -1) @ jnp.ones((120, 2)),
  "group norm": group_norm,
  "batch norm in training": batch_norm_in_training,
  "kernel made of the image": correlated_with_the_image,
  "lookup": lambda x: jnp.ones((5, 12))[x[..., 0].astype(int)],
  "scattering": reordered_rows,
  "cut while merged": lambda x: x.reshape(-1, 120, 1)[:, 20:].reshape(-1, 10, 10, 1),
  "regrouped": lambda x: x.reshape(-1, 5, 24)[:, ::-1].reshape(x.shape),
  "regrouped with copies": regrouped_with_copies,
  "regrouped unevenly": regrouped_unevenly,
  "unknown loop": lambda x: lax.while_loop(lambda x: x.sum() < 9, lambda x: x + 1, x),
  "unknown operation": lambda x: jnp.fft.fft(x, axis=3).real,
  "moved by the image": lambda x: lax.dynamic_slice(x, (0, 0, 0, x.argmax()), x.shape),
}


@pytest.mark.parametrize("case", WHOLE)
def test_what_mixes_all_pixels_sees_the_image(case):
  field = field_of(WHOLE[case], 1, *SIDES, 1)
  assert field == (SIDES, (0, 0), (0, 0))
  assert (field.whole, field.text) == (True, "image")


def test_a_long_loop_is_followed_up_to_a_limit_and_then_seen_whole(monkeypatch):
  assert field_of(growing(9), 1, *SIDES, 1).text == "19"
  monkeypatch.setattr(fields, "ROUNDS", 9)
  assert field_of(growing(9), 1, *SIDES, 1).text == "19"
  assert field_of(growing(10), 1, *SIDES, 1).text == "image"
  assert field_of(growing(10**9), 1, *SIDES, 1).text == "image"
  unchanged = field_of(lambda x: lax.fori_loop(0, 10**9, lambda _, x: x + 1, x), 1, *SIDES, 1)
  assert unchanged.text == "1"


def test_each_result_of_a_choice_sees_what_that_of_its_dearest_branch_sees():
  def choice(x):
    def dear():
      return convolve(x, 3, 1), 1.0, convolve(x, 1, 2)

    return lax.cond(x[0, 0, 0, 0] > 0, dear, lambda: (x[:, 2:], x.mean(), x[:, :, 1:]))

  program = trace(choice, shape(1, *SIDES, 1))
  assert [o.name for o in program.operations][-1] == "cond"
  found = find_fields(program, program.inputs[0])
  texts = [found[n].text if n in found else "nothing" for n in program.outputs]
  assert texts == ["3x1", "nothing", "1x2"]


def test_a_kernel_that_a_platform_has_a_form_of_is_seen_whole_unless_written_out():
  def pooled(x):
    return kernels.max_pool(x, 3, 2)

  with kernels.assumed("plain"):
    common, cpu = (trace(pooled, shape(1, *SIDES, 1), platform=name) for name in ("", "cpu"))
  assert [o.name for o in cpu.operations] == ["jit"]
  assert find_fields(common, common.inputs[0])[common.outputs[0]] == ((3, 3), (2, 2), (0, 0))
  assert find_fields(cpu, cpu.inputs[0])[cpu.outputs[0]].whole


def test_fields_are_plain_numbers_also_where_a_trace_holds_those_of_numpy():
  program = trace(lambda x: jnp.pad(x, ((0, 0), (1, 2), (3, 4), (0, 0))), shape(1, *SIDES, 1))
  padding = next(o.params["padding_config"] for o in program.operations if o.name == "pad")
  assert isinstance(padding[1][0], np.int64)
  field = find_fields(program, program.inputs[0])[program.outputs[0]]
  assert field == ((1, 1), (1, 1), (1, 3))
  assert {type(number) for numbers in field for number in numbers} == {int}


def test_only_what_depends_on_the_image_has_a_field():
  def function(weights, images):
    return convolve(images, 11, 7) * jnp.exp(weights)

  program = trace(function, shape(), shape(1, 20, 20, 1))
  found = find_fields(program, program.inputs[1])
  assert found[program.inputs[1]].text == "1"
  assert found[program.outputs[0]].text == "11x7"
  names = {o.name for o in program.operations if found.keys() & set(o.writes)}
  assert names == {"conv_general_dilated", "mul"}


def test_other_axes_can_be_those_of_the_pixels():
  def function(x):
    return lax.conv_general_dilated(x, jnp.ones((1, 1, 3, 5)), (1, 2), "VALID")

  assert field_of(function, 1, 1, *SIDES, axes=(2, 3)) == ((3, 5), (1, 2), (0, 0))
  assert field_of(function, 1, 1, *SIDES, axes=(3,)) == ((5,), (2,), (0,))


def test_a_convolution_sees_all_channels():
  assert field_of(lambda x: convolve(x, 3, 3), 1, *SIDES, 4, axes=(3,)) == ((4,), (0,), (0,))


def test_a_convolution_whose_kernels_each_take_a_part_of_the_batch_sees_all_of_it():
  def grouped(x):
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
      x, jnp.ones((1, 1, 1, 2)), (1, 1), "VALID", None, None, numbers, batch_group_count=2
    )

  assert field_of(grouped, 4, *SIDES, 1, axes=(0,)) == ((4,), (0,), (0,))


def test_an_image_that_is_no_input_and_axes_that_it_lacks_are_refused():
  program = trace(jnp.exp, shape(1, 8, 8))
  with pytest.raises(ValueError, match="must be an input of the program"):
    find_fields(program, program.outputs[0])
  with pytest.raises(ValueError, match=r"axes \(=\(1, 3\)\) must be axes of the image"):
    find_fields(program, program.inputs[0], (1, 3))
