"""Pooling."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.kernels import calls
from jaxnets.kernels.conv import NO_PADDING, Padding
from jaxnets.kernels.forms import choose, form, on_cpu

LARGEST = 16  # window whose places one byte counts


def max_pool(
  image: jax.Array, window: int, stride: int, padding: Padding = NO_PADDING
) -> jax.Array:
  """Largest value in each window; padding never wins. The gradient goes to the first of equals.

  [batch, height, width, channels] -> [batch, height', width', channels].
  """
  operation = _max_pool if _faster(image, window, padding) else plain_max_pool
  return operation(window, stride, padding, image)


def average_pool(
  image: jax.Array, window: int, stride: int, padding: Padding = NO_PADDING
) -> jax.Array:
  """Mean of each window over the pixels that exist: padding does not count.

  [batch, height, width, channels] -> [batch, height', width', channels].
  """
  operation = _average_pool if _faster(image, window, padding) else plain_average_pool
  return operation(window, stride, padding, image)


def plain_max_pool(window, stride, padding, image):
  """What `max_pool` means."""
  return lax.reduce_window(image, -jnp.inf, lax.max, *_windows(window, stride, padding))


def plain_average_pool(window, stride, padding, image):
  """What `average_pool` means."""
  sums = lax.reduce_window(image, 0.0, lax.add, *_windows(window, stride, padding))
  if padding == NO_PADDING:
    return sums / (window * window)
  ones = jnp.ones((1, *image.shape[1:3], 1), image.dtype)
  return sums / lax.reduce_window(ones, 0.0, lax.add, *_windows(window, stride, padding))


def adaptive_average_pool(image: jax.Array, size: int) -> jax.Array:
  """Mean over size x size windows that cover the image evenly, as in PyTorch.

  Window i of n pixels runs from floor(i * n / size) to ceil((i + 1) * n / size).

  [batch, height, width, channels] -> [batch, size, size, channels].
  """

  def shrink(x: jax.Array, axis: int) -> jax.Array:
    n = x.shape[axis]
    bounds = [(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]
    return jnp.stack([lax.slice_in_dim(x, *b, axis=axis).mean(axis) for b in bounds], axis)

  return shrink(shrink(image, 1), 2)


def _windows(window: int, stride: int, padding: Padding):
  return (1, window, window, 1), (1, stride, stride, 1), ((0, 0), *padding, (0, 0))


def _faster(image: jax.Array, window: int, padding: Padding) -> bool:
  """Whether a form other than the plain one may stand in."""
  whole = all(0 <= before < window and 0 <= after < window for before, after in padding)
  return on_cpu() and image.dtype == jnp.float32 and image.size > 0 and window <= LARGEST and whole


def _call(target, operands, shape, dtype, geometry, *more):
  window, stride, padding = geometry
  numbers = np.array((window, stride, padding[0][0], padding[1][0]), np.int64)
  result = (calls.IMAGES, jax.ShapeDtypeStruct(shape, dtype))
  return calls.call(
    target, [(calls.IMAGES, x) for x in operands], [result, *more], geometry=numbers
  )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _max_pool(window, stride, padding, image):
  plain = functools.partial(plain_max_pool, window, stride, padding)
  shape = jax.eval_shape(plain, image).shape

  def own(image):
    geometry = window, stride, padding
    return _call("jaxnets_max_pool", [image], shape, image.dtype, geometry, None)[0]

  return choose(plain if form() == "plain" else own, plain, image)


def _max_pool_forward(window, stride, padding, image):
  plain = functools.partial(plain_max_pool, window, stride, padding)
  shape = jax.eval_shape(plain, image).shape
  places = jax.ShapeDtypeStruct(shape, jnp.uint8)

  def own(image):
    geometry = window, stride, padding
    wanted = calls.IMAGES, places
    return tuple(_call("jaxnets_max_pool", [image], shape, image.dtype, geometry, wanted))

  def other(image):
    return plain(image), jnp.zeros(places.shape, places.dtype)

  out, places = choose(other if form() == "plain" else own, other, image)
  return out, (image, places)


def _max_pool_backward(window, stride, padding, kept, dy):
  def own(image, places, dy):
    geometry = window, stride, padding
    operands = [dy, places]
    return _call("jaxnets_max_pool_gradient", operands, image.shape, image.dtype, geometry)[0]

  def plain(image, places, dy):
    del places
    return jax.vjp(functools.partial(plain_max_pool, window, stride, padding), image)[1](dy)[0]

  return (choose(plain if form() == "plain" else own, plain, *kept, dy),)


_max_pool.defvjp(_max_pool_forward, _max_pool_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _average_pool(window, stride, padding, image):
  plain = functools.partial(plain_average_pool, window, stride, padding)
  shape = jax.eval_shape(plain, image).shape

  def own(image):
    geometry = window, stride, padding
    return _call("jaxnets_average_pool", [image], shape, image.dtype, geometry)[0]

  return choose(plain if form() == "plain" else own, plain, image)


def _average_pool_forward(window, stride, padding, image):
  return _average_pool(window, stride, padding, image), image


def _average_pool_backward(window, stride, padding, image, dy):
  like = jax.ShapeDtypeStruct(image.shape, image.dtype)

  def own(dy):
    geometry = window, stride, padding
    return _call("jaxnets_average_pool_gradient", [dy], like.shape, like.dtype, geometry)[0]

  def plain(dy):
    function = functools.partial(plain_average_pool, window, stride, padding)
    return jax.linear_transpose(function, like)(dy)[0]

  return (choose(plain if form() == "plain" else own, plain, dy),)


_average_pool.defvjp(_average_pool_forward, _average_pool_backward)
