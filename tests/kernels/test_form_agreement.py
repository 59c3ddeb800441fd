"""The form of this process against the plain one that defines it, on random shapes; 330 in all.

With JAXNETS_KERNELS=plain that is the JAX form, elsewhere the C++ where it can be had.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.kernels import (
  average_pool,
  batch_norm,
  conv,
  conv_normalised,
  local_response_norm,
  max_pool,
)
from jaxnets.kernels import plain as meant
from tests.kernels.forms import BOUNDS, assert_agree, draw_array, gradients


def draw_geometry(draw: np.random.Generator, most: int = 3):
  """Window, geometry and image size of a random convolution that has an output."""
  window = tuple(int(k) for k in draw.integers(1, 6, 2))
  dilation = tuple(int(d) for d in draw.integers(1, 3, 2))
  padding = tuple(tuple(int(p) for p in draw.integers(0, most, 2)) for _ in range(2))
  stride = tuple(int(s) for s in draw.integers(1, 4, 2))
  groups = int(draw.choice([1, 1, 2, 3, 4]))
  reach = [d * (k - 1) + 1 for d, k in zip(dilation, window, strict=True)]
  least = [max(1, r - sum(p)) for r, p in zip(reach, padding, strict=True)]
  size = tuple(int(n + draw.integers(0, 12)) for n in least)
  return window, meant.Geometry(stride, padding, dilation, groups), size


@pytest.mark.parametrize("seed", range(120))
def test_a_random_convolution_and_its_gradients_agree(seed):
  draw = np.random.default_rng(seed)
  window, geometry, size = draw_geometry(draw)
  into = geometry.groups * int(draw.integers(1, 20))
  out = geometry.groups * int(draw.integers(1, 20))
  image = draw_array(draw, int(draw.integers(1, 5)), *size, into)
  kernel = draw_array(draw, *window, into // geometry.groups, out)
  bias = draw_array(draw, out) if seed % 3 else None
  relu = seed % 2 == 0
  own = functools.partial(conv, relu=relu, **geometry._asdict())
  plain = functools.partial(meant.conv, geometry, relu)
  before = meant.conv(geometry, False, image, kernel, bias)
  # Where a value is nearly zero the two forms may see the ReLU from two sides.
  weights = draw_array(draw, *before.shape) * (np.abs(before) > 1e-4)
  found = gradients(own, lambda y: weights, image, kernel, bias)
  expected = gradients(plain, lambda y: weights, image, kernel, bias)
  assert_agree(found[0], expected[0], BOUNDS["conv"])
  assert_agree(found[1], expected[1], BOUNDS["conv gradient"])


@pytest.mark.parametrize(("groups", "stride"), [(1, 1), (1, 2), (2, 1), (64, 1)])
def test_a_convolution_of_many_images_and_channels_and_its_gradients_agree(groups, stride):
  draw = np.random.default_rng(groups)
  image, kernel = draw_array(draw, 32, 9, 8, 64), draw_array(draw, 3, 3, 64 // groups, 64)
  geometry = meant.Geometry((stride, stride), ((1, 1), (0, 1)), (1, 1), groups)
  own = functools.partial(conv, **geometry._asdict())
  plain = functools.partial(meant.conv, geometry, False, bias=None)
  weights = draw_array(draw, *plain(image, kernel).shape)
  found = gradients(own, lambda y: weights, image, kernel)
  expected = gradients(plain, lambda y: weights, image, kernel)
  assert_agree(found[0], expected[0], BOUNDS["conv"])
  assert_agree(found[1], expected[1], BOUNDS["conv gradient"])


@pytest.mark.parametrize("seed", range(40))
def test_a_random_layer_at_inference_agrees_and_so_do_its_gradients(seed):
  draw = np.random.default_rng(seed)
  window, geometry, size = draw_geometry(draw)
  into = geometry.groups * int(draw.integers(1, 20))
  out = geometry.groups * int(draw.integers(1, 20))
  image = draw_array(draw, 2, *size, into)
  kernel = draw_array(draw, *window, into // geometry.groups, out)
  bias = draw_array(draw, out) if seed % 3 else None
  mean, scale, offset = draw_array(draw, 1, out), draw_array(draw, out), draw_array(draw, out)
  variance = draw.uniform(0.5, 4, (1, out)).astype(np.float32)
  before = meant.conv(geometry, False, image, kernel, bias)
  add = draw_array(draw, *before.shape) if seed % 2 else None
  arguments = (image, kernel, bias, mean, variance, scale, offset, add)
  relu = seed % 4 < 2

  def own(image, kernel, bias, mean, variance, scale, offset, add):
    return conv_normalised(
      image, kernel, bias, mean, variance, scale, offset, 1e-5, add=add, relu=relu,
      **geometry._asdict(),
    )  # fmt: skip

  plain = functools.partial(meant.conv_normalised, geometry, 1e-5, relu)
  unrectified = meant.conv_normalised(geometry, 1e-5, False, *arguments)
  weights = draw_array(draw, *before.shape) * (np.abs(unrectified) > 1e-3)
  assert_agree(own(*arguments), plain(*arguments), BOUNDS["conv normalised"])
  found = gradients(own, lambda y: weights, *arguments)[1]
  expected = gradients(plain, lambda y: weights, *arguments)[1]
  assert_agree(found, expected, BOUNDS["norm gradient"])


@pytest.mark.parametrize("seed", range(60))
def test_a_random_batch_norm_and_its_gradients_agree(seed):
  draw = np.random.default_rng(seed)
  group = int(draw.integers(1, 4))
  batch = group * int(draw.integers(1, 4))
  channels = int(draw.choice([1, 3, 16, 17, 24, 32, 64, 70]))
  height, width = (int(n) for n in draw.integers(2, 12, 2))
  x = 3 * draw_array(draw, batch, height, width, channels) + draw_array(draw, channels)
  scale, bias = draw_array(draw, channels), draw_array(draw, channels)
  add = draw_array(draw, *x.shape) if seed % 2 else None
  relu = seed % 4 < 2
  own = functools.partial(batch_norm, group=group, epsilon=1e-3, relu=relu)
  plain = functools.partial(meant.batch_norm, group, 1e-3, relu)
  before = meant.batch_norm(group, 1e-3, False, x, scale, bias, add)[0]
  weights = draw_array(draw, *x.shape) * (np.abs(before) > 1e-4)
  moments = draw_array(draw, 2, batch // group, channels)
  found = gradients(own, lambda y: (weights, *moments), x, scale, bias, add)
  expected = gradients(plain, lambda y: (weights, *moments), x, scale, bias, add)
  assert_agree(found[0], expected[0], BOUNDS["norm"])
  assert_agree(found[1], expected[1], BOUNDS["norm gradient"])


@pytest.mark.parametrize("shape", [(3, 45, 37, 64), (2, 190, 181, 3), (2, 97, 61, 17)])
def test_a_batch_norm_of_large_images_agrees(shape):
  draw = np.random.default_rng(0)
  x, add = draw_array(draw, *shape) + 1, draw_array(draw, *shape)
  scale, bias = draw_array(draw, shape[-1]), draw_array(draw, shape[-1])
  own = functools.partial(batch_norm, group=shape[0], epsilon=1e-3, relu=True)
  plain = functools.partial(meant.batch_norm, shape[0], 1e-3, True)
  before = meant.batch_norm(shape[0], 1e-3, False, x, scale, bias, add)[0]
  weights = draw_array(draw, *shape) * (np.abs(before) > 1e-4)
  moments = draw_array(draw, 2, 1, shape[-1])
  found = gradients(own, lambda y: (weights, *moments), x, scale, bias, add)
  expected = gradients(plain, lambda y: (weights, *moments), x, scale, bias, add)
  assert_agree(found[0], expected[0], BOUNDS["norm"])
  assert_agree(found[1], expected[1], BOUNDS["norm gradient"])


def draw_windows(draw: np.random.Generator):
  """A random pooling, and images that it fits."""
  window = int(draw.integers(1, 6))
  stride = int(draw.integers(1, 5))
  padding = tuple(tuple(int(p) for p in draw.integers(0, window, 2)) for _ in range(2))
  height, width = (int(n) for n in draw.integers(window, window + 12, 2))
  channels = int(draw.choice([1, 2, 15, 16, 33, 48]))
  return window, stride, padding, (int(draw.integers(1, 4)), height, width, channels)


@pytest.mark.parametrize("seed", range(60))
def test_a_random_max_pooling_and_its_gradient_agree_also_where_values_are_equal(seed):
  draw = np.random.default_rng(seed)
  *geometry, shape = draw_windows(draw)
  image = draw_array(draw, *shape)
  if seed % 2:
    image = np.round(image)  # many equal values in a window
  plain = functools.partial(meant.max_pool, meant.Windows(*geometry))
  weights = draw_array(draw, *jax.eval_shape(plain, image).shape)
  found = gradients(lambda x: max_pool(x, *geometry), lambda y: weights, image)
  expected = gradients(plain, lambda y: weights, image)
  assert_agree(found[0], expected[0], BOUNDS["max"])
  assert_agree(found[1], expected[1], BOUNDS["max gradient"])


@pytest.mark.parametrize("seed", range(30))
def test_a_random_average_pooling_and_its_gradient_agree(seed):
  draw = np.random.default_rng(seed)
  *geometry, shape = draw_windows(draw)
  image = draw_array(draw, *shape)
  plain = functools.partial(meant.average_pool, meant.Windows(*geometry))
  weights = draw_array(draw, *jax.eval_shape(plain, image).shape)
  found = gradients(lambda x: average_pool(x, *geometry), lambda y: weights, image)
  expected = gradients(plain, lambda y: weights, image)
  assert_agree(found[0], expected[0], BOUNDS["average"])
  assert_agree(found[1], expected[1], BOUNDS["average gradient"])


@pytest.mark.parametrize("seed", range(20))
def test_a_random_local_response_norm_and_its_gradient_agree(seed):
  draw = np.random.default_rng(seed)
  channels, n = int(draw.integers(1, 40)), int(draw.integers(1, 8))
  beta = 0.75 if seed % 2 else float(draw.uniform(0.2, 1.5))
  constants = meant.ResponseNorm(
    float(draw.uniform(1, 3)), n, float(draw.uniform(1e-4, 1e-1)), beta
  )
  image = 5 * draw_array(draw, 2, 3, 4, channels)
  weights = draw_array(draw, *image.shape)
  own = functools.partial(local_response_norm, **constants._asdict())
  plain = functools.partial(meant.response_norm, constants)
  found = gradients(own, lambda y: weights, image)
  expected = gradients(plain, lambda y: weights, image)
  assert_agree(found[0], expected[0], BOUNDS["lrn"])
  assert_agree(found[1], expected[1], BOUNDS["lrn gradient"])


def test_a_value_that_is_not_a_number_stays_one():
  image = np.ones((1, 4, 4, 20), np.float32)
  image[0, 1, 1, 2] = image[0, 2, 2, 17] = np.nan  # among the first sixteen channels, and behind
  kernel, one = np.ones((1, 1, 20, 20), np.float32), np.ones(20, np.float32)
  moments = (one[None] - 1, one[None], one, one)
  for out in (
    max_pool(image, 2, 2),
    average_pool(image, 2, 2),
    local_response_norm(image),
    batch_norm(image, one, one, group=1, epsilon=1e-5, relu=True)[0],
    batch_norm(image, one, one, image, group=1, epsilon=1e-5, relu=True)[0],
  ):
    lost = np.isnan(np.asarray(out)).any((0, 1, 2))
    assert lost[[2, 17]].all()
  for out in (
    conv(image, kernel, one, relu=True),
    conv_normalised(image, kernel, None, *moments, 1e-5, add=image, relu=True),
  ):
    assert np.isnan(np.asarray(out)[0, [1, 2], [1, 2]]).all()


def test_the_gradient_of_a_convolution_equals_finite_differences():
  draw = np.random.default_rng(0)
  image, kernel = draw_array(draw, 2, 5, 5, 3), draw_array(draw, 3, 3, 3, 4)
  direction = draw_array(draw, *kernel.shape)

  def loss(kernel):
    return jnp.sin(conv(image, kernel, stride=(2, 2), padding=((1, 1), (1, 1)))).sum()

  step = 1e-2
  slope = (loss(kernel + step * direction) - loss(kernel - step * direction)) / (2 * step)
  assert abs(slope - (jax.grad(loss)(kernel) * direction).sum()) < 2e-2 * abs(slope)
