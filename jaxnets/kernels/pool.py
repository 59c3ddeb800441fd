"""Pooling."""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.kernels import forms, plain
from jaxnets.kernels.checks import all_float32, check_images
from jaxnets.kernels.plain import NO_PADDING, Padding, Windows

LARGEST = 16  # window whose places one byte counts


def max_pool(
  image: jax.Array, window: int, stride: int, padding: Padding = NO_PADDING
) -> jax.Array:
  """Largest value in each window; padding never wins. The gradient goes to the first of equals.

  [batch, height, width, channels] -> [batch, height', width', channels]. ValueError where no
  window fits.
  """
  windows = _windows(image, window, stride, padding)
  return (_max_pool if _has_forms(windows, image) else plain.max_pool)(windows, image)


def average_pool(
  image: jax.Array, window: int, stride: int, padding: Padding = NO_PADDING
) -> jax.Array:
  """Mean of each window over the pixels that exist: padding does not count.

  [batch, height, width, channels] -> [batch, height', width', channels]. ValueError where no
  window fits.
  """
  windows = _windows(image, window, stride, padding)
  return (_average_pool if _has_forms(windows, image) else plain.average_pool)(windows, image)


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


def _windows(image: jax.Array, window: int, stride: int, padding: Padding) -> Windows:
  check_images(image)
  sides = [n + sum(p) for n, p in zip(image.shape[1:3], padding, strict=True)]
  if stride < 1 or not 1 <= window <= min(sides):
    raise ValueError(
      f"a window (={window}) at stride (={stride}) must fit into the padded image (={sides})"
    )
  return Windows(window, stride, padding)


def _has_forms(windows: Windows, image: jax.Array) -> bool:
  """Whether another form than the plain one may stand in."""
  window, _, padding = windows
  # A window that lies on padding only has no largest pixel.
  covered = all(0 <= before < window and 0 <= after < window for before, after in padding)
  return forms.on_cpu() and all_float32(image) and covered and window <= LARGEST


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _max_pool(windows, image):
  own = functools.partial(forms.on_cpu_form().max_pool, windows)
  return forms.choose(own, functools.partial(plain.max_pool, windows), image)


def _max_pool_forward(windows, image):
  """The result, and where in its window each value was found, uint8."""
  own = functools.partial(forms.on_cpu_form().max_pool_with_places, windows)
  out, places = forms.choose(own, functools.partial(_max_pool_without_places, windows), image)
  return out, (image, places)


def _max_pool_without_places(windows, image):
  """Where the gradient finds the places itself."""
  out = plain.max_pool(windows, image)
  return out, jnp.zeros(out.shape, jnp.uint8)


def _max_pool_backward(windows, kept, dy):
  own = functools.partial(forms.on_cpu_form().max_pool_gradient, windows)
  return (forms.choose(own, functools.partial(_max_pool_gradient, windows), *kept, dy),)


def _max_pool_gradient(windows, image, places, dy):
  del places
  return jax.vjp(functools.partial(plain.max_pool, windows), image)[1](dy)[0]


_max_pool.defvjp(_max_pool_forward, _max_pool_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _average_pool(windows, image):
  own = functools.partial(forms.on_cpu_form().average_pool, windows)
  return forms.choose(own, functools.partial(plain.average_pool, windows), image)


def _average_pool_backward(windows, image, dy):
  own = functools.partial(forms.on_cpu_form().average_pool_gradient, windows, image.shape)
  return (forms.choose(own, functools.partial(_average_pool_gradient, windows, image.shape), dy),)


def _average_pool_gradient(windows, shape, dy):
  like = jax.ShapeDtypeStruct(shape, dy.dtype)
  return jax.linear_transpose(functools.partial(plain.average_pool, windows), like)(dy)[0]


_average_pool.defvjp(
  lambda windows, image: (_average_pool(windows, image), image), _average_pool_backward
)
