"""The CPU's operations in C++, see `jaxnets/onednn/source`.

The same functions as in `portable`, float32. None can be differentiated: `conv`, `norm` and `pool`
say what the gradients are.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.kernels import plain
from jaxnets.kernels.calls import IMAGES, SHARED, SUM, call
from jaxnets.kernels.plain import Geometry, ResponseNorm, Windows


def conv(geometry: Geometry, relu: bool, image, kernel, bias, add):
  """The convolution plus bias and `add`, each unless it is None, then the ReLU.

  An overflow to minus infinity is NaN behind the ReLU.
  """
  shape = jax.eval_shape(functools.partial(plain.cross_correlate, geometry), image, kernel)
  arguments = [
    (IMAGES, image),
    (SHARED, kernel),
    None if bias is None else (SHARED, bias),
    None if add is None else (IMAGES, add),
  ]
  return call("jaxnets_conv", arguments, [(IMAGES, shape)], geometry=_numbers(geometry, relu))[0]


def conv_image_gradient(geometry: Geometry, shape: tuple[int, ...], dy, kernel):
  """The gradient with respect to the image, which has the given shape."""
  (dimage,) = call(
    "jaxnets_conv_image_gradient",
    [(IMAGES, dy), (SHARED, kernel)],
    [(IMAGES, jax.ShapeDtypeStruct(shape, dy.dtype))],
    geometry=_numbers(geometry),
  )
  return dimage


def conv_kernel_gradient(geometry: Geometry, shape: tuple[int, ...], biased: bool, image, dy):
  """The gradients with respect to the kernel, of the given shape, and the bias or None."""
  kernel = jax.ShapeDtypeStruct(shape, dy.dtype)
  bias = jax.ShapeDtypeStruct(shape[-1:], dy.dtype)
  dkernel, *dbias = call(
    "jaxnets_conv_kernel_gradient",
    [(IMAGES, image), (IMAGES, dy)],
    [(SUM, kernel), (SUM, bias) if biased else None],
    geometry=_numbers(geometry),
  )
  return dkernel, dbias[0] if biased else None


def _numbers(geometry: Geometry, relu: bool = False) -> np.ndarray:
  """A geometry as the C++ reads it."""
  (top, bottom), (left, right) = geometry.padding
  numbers = (*geometry.stride, top, left, bottom, right, *geometry.dilation, geometry.groups, relu)
  return np.array(numbers, np.int64)


def norm_sums(x):
  """Sums and sums of squares over the pixels of each image: [batch, channels], twice."""
  return call("jaxnets_norm_sums", [(IMAGES, x)], [_per_image(x)] * 2)


def norm(x, mean, factor, bias, add, relu: bool):
  """(x - mean) * factor + bias, plus `add` unless that is None, then the ReLU.

  Numbers per channel are [channels] or [batch, channels].
  """
  arguments = [
    (IMAGES, x),
    *map(_rows, (mean, factor, bias)),
    add if add is None else (IMAGES, add),
  ]
  return call("jaxnets_norm", arguments, [_like(x)], relu=np.bool_(relu))[0]


def norm_gradient_sums(dy, x, out, mean, factor, bias, relu: bool):
  """Sums over the pixels of each image of g and of g (x - mean), and g where `out` is given.

  g is dy where the ReLU let pass: where `out` is above zero, or unless that is given where `norm`
  of x is.
  """
  first, second, *g = call(
    "jaxnets_norm_gradient_sums",
    [
      (IMAGES, dy),
      (IMAGES, x),
      None if out is None else (IMAGES, out),
      *map(_rows, (mean, factor, bias)),
    ],
    [_per_image(x), _per_image(x), None if out is None else _like(x)],
    relu=np.bool_(relu),
  )
  return first, second, g[0] if g else None


def norm_gradient(dy, x, mean, factor, bias, slope, offset, relu: bool):
  """factor g + slope (x - mean) + offset."""
  arguments = [(IMAGES, dy), (IMAGES, x), *map(_rows, (mean, factor, bias, slope, offset))]
  return call("jaxnets_norm_gradient", arguments, [_like(x)], relu=np.bool_(relu))[0]


def _rows(values):
  return (SHARED if values.ndim == 1 else IMAGES, values)


def _per_image(x):
  return (IMAGES, jax.ShapeDtypeStruct((x.shape[0], x.shape[-1]), x.dtype))


def _like(x):
  return (IMAGES, jax.ShapeDtypeStruct(x.shape, x.dtype))


def response_norm(constants: ResponseNorm, image):
  """Local response normalisation."""
  return call("jaxnets_lrn", [(IMAGES, image)], [_like(image)], **_constants(constants))[0]


def response_norm_gradient(constants: ResponseNorm, image, dy):
  """Its gradient."""
  arguments = [(IMAGES, dy), (IMAGES, image)]
  return call("jaxnets_lrn_gradient", arguments, [_like(image)], **_constants(constants))[0]


def _constants(constants: ResponseNorm) -> dict:
  k, n, alpha, beta = constants
  return {"constants": np.array((k, alpha, beta), np.float32), "n": np.int64(n)}


def max_pool(windows: Windows, image):
  """The largest values."""
  pooled = jax.eval_shape(functools.partial(plain.max_pool, windows), image)
  results = [(IMAGES, pooled), None]
  return call("jaxnets_max_pool", [(IMAGES, image)], results, geometry=_corner(windows))[0]


def max_pool_with_places(windows: Windows, image):
  """The largest values, and the place of each in its window, counted along rows: uint8."""
  pooled = jax.eval_shape(functools.partial(plain.max_pool, windows), image)
  results = [(IMAGES, pooled), (IMAGES, jax.ShapeDtypeStruct(pooled.shape, jnp.uint8))]
  return tuple(call("jaxnets_max_pool", [(IMAGES, image)], results, geometry=_corner(windows)))


def max_pool_gradient(windows: Windows, image, places, dy):
  """Every window's gradient at the place that won."""
  arguments = [(IMAGES, dy), (IMAGES, places)]
  geometry = _corner(windows)
  return call("jaxnets_max_pool_gradient", arguments, [_like(image)], geometry=geometry)[0]


def average_pool(windows: Windows, image):
  """The means."""
  pooled = jax.eval_shape(functools.partial(plain.average_pool, windows), image)
  geometry = _corner(windows)
  return call("jaxnets_average_pool", [(IMAGES, image)], [(IMAGES, pooled)], geometry=geometry)[0]


def average_pool_gradient(windows: Windows, shape: tuple[int, ...], dy):
  """Every window's gradient shared out evenly."""
  results = [(IMAGES, jax.ShapeDtypeStruct(shape, dy.dtype))]
  geometry = _corner(windows)
  return call("jaxnets_average_pool_gradient", [(IMAGES, dy)], results, geometry=geometry)[0]


def _corner(windows: Windows) -> np.ndarray:
  """A pooling's geometry as the C++ reads it; where windows end follows from the result."""
  (top, _), (left, _) = windows.padding
  return np.array((windows.window, windows.stride, top, left), np.int64)
