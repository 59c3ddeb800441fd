"""Convolution and its gradients, as XLA computes them fastest on a CPU."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.kernels import plain
from jaxnets.kernels.plain import NO_PADDING, Geometry

DENSE = 32  # input channels from which a convolution of its own is worth while
MOST_PARTS = 8  # convolutions that one becomes, for its groups or its runs of images
RUN = 8  # images in a run, at least


def conv(geometry: Geometry, relu: bool, image, kernel, bias, add):
  """See `native.conv`."""
  y = _by_groups(_cross_correlate, geometry, image, kernel)
  return plain.finish(y if bias is None else y + bias, add, relu)


def conv_image_gradient(geometry: Geometry, shape: tuple[int, ...], dy, kernel):
  """See `native.conv_image_gradient`."""
  gradient = functools.partial(_image_gradient, size=shape[1:3])
  return _by_groups(gradient, geometry, dy, kernel)


def conv_kernel_gradient(geometry: Geometry, shape: tuple[int, ...], biased: bool, image, dy):
  """See `native.conv_kernel_gradient`."""
  groups, window, ins = geometry.groups, shape[:2], shape[2]
  merged, parts = _merge(groups, ins)
  single = geometry._replace(groups=1)
  gradients = []
  for x, g in zip(jnp.split(image, parts, -1), jnp.split(dy, parts, -1), strict=True):
    dense = _kernel_gradient(single, window, x, g)
    if merged > 1:  # only the blocks on the diagonal are parameters
      blocks = dense.reshape(*window, merged, ins, merged, -1)
      dense = jnp.moveaxis(jnp.diagonal(blocks, axis1=2, axis2=4), -1, 3)
    gradients.append(dense.reshape(*window, ins, -1))
  dkernel = jnp.concatenate(gradients, -1)
  return dkernel, dy.sum(1).sum((0, 1)) if biased else None


def _merge(groups: int, ins: int) -> tuple[int, int]:
  """How many groups to compute as one dense convolution, and how many of those there are.

  XLA is slow with groups: on the CPU each group of AlexNet's second convolution by itself is 4 to 5
  times faster. Groups of few channels are merged, with zeros between them: also faster than XLA's.
  """
  for merged in range(1, groups):
    if groups % merged == 0 and ins * merged >= DENSE and groups // merged <= MOST_PARTS:
      return merged, groups // merged
  return groups, 1


def _by_groups(function: Callable, geometry: Geometry, x, kernel):
  """`function` of an image-like x and the kernel, which knows no groups, for every group."""
  merged, parts = _merge(geometry.groups, kernel.shape[2])
  single = geometry._replace(groups=1)
  pairs = zip(jnp.split(x, parts, -1), jnp.split(kernel, parts, -1), strict=True)
  return jnp.concatenate([function(single, x, _dense(w, merged)) for x, w in pairs], -1)


def _dense(kernel, groups: int):
  """[height, width, in / groups, out] -> [height, width, in, out], zero between groups."""
  if groups == 1:
    return kernel
  *window, ins, outs = kernel.shape
  blocks = kernel.reshape(*window, 1, ins, groups, outs // groups)
  blocks = blocks * jnp.eye(groups, dtype=kernel.dtype)[:, None, :, None]
  return blocks.reshape(*window, groups * ins, outs)


def _is_product(geometry: Geometry, window: tuple[int, ...]) -> bool:
  """Whether a convolution is one matrix product of pixels, or of every stride-th."""
  return tuple(window) == (1, 1) and geometry.padding == NO_PADDING


def _cross_correlate(geometry: Geometry, image, kernel):
  """Ungrouped. Products of pixels are 1.0 to 1.9 times faster than convolutions of 1x1."""
  if not _is_product(geometry, kernel.shape[:2]):
    return plain.cross_correlate(geometry, image, kernel)
  return jnp.einsum("nhwi,io->nhwo", _sampled(geometry, image), kernel[0, 0])


def _image_gradient(geometry: Geometry, dy, kernel, size: tuple[int, ...]):
  """Ungrouped; products as above: 1.0 to 1.7 times faster."""
  if not _is_product(geometry, kernel.shape[:2]):
    like = jax.ShapeDtypeStruct((len(dy), *size, kernel.shape[2]), dy.dtype)
    return jax.linear_transpose(lambda x: plain.cross_correlate(geometry, x, kernel), like)(dy)[0]
  sampled = jnp.einsum("nhwo,io->nhwi", dy, kernel[0, 0])
  if geometry.stride == (1, 1):
    return sampled
  steps = zip(size, dy.shape[1:3], geometry.stride, strict=True)
  edges = [(0, n - (m - 1) * s - 1, s - 1) for n, m, s in steps]
  return lax.pad(sampled, jnp.zeros((), dy.dtype), ((0, 0, 0), *edges, (0, 0, 0)))


def _kernel_gradient(geometry: Geometry, window: tuple[int, ...], image, dy):
  """Ungrouped: [height, width, in, out].

  As a product 1.6 to 8 times faster than as a convolution. Larger windows go over the batch in runs
  of RUN images or more, whose pixels stay in the cache: 1.2 to 2.5 times faster from 32 channels,
  slower from 16. In a loop a convolution is 50 times slower, so the runs are written out.
  A run takes every runs-th image, so that every device of a mesh has its share of each.
  """
  ins, outs = image.shape[-1], dy.shape[-1]
  if _is_product(geometry, window):
    return jnp.einsum("nhwi,nhwo->io", _sampled(geometry, image), dy)[None, None]

  def gradient(image, dy):
    like = jax.ShapeDtypeStruct((*window, ins, outs), dy.dtype)
    return jax.linear_transpose(lambda w: plain.cross_correlate(geometry, image, w), like)(dy)[0]

  runs = min(MOST_PARTS, len(dy) // RUN) if max(ins, outs) >= DENSE else 1
  if runs < 2 or len(dy) % runs:
    return gradient(image, dy)
  image, dy = (x.reshape(-1, runs, *x.shape[1:]) for x in (image, dy))
  return functools.reduce(jnp.add, [gradient(image[:, i], dy[:, i]) for i in range(runs)])


def _sampled(geometry: Geometry, image):
  """The pixels that windows of 1x1 lie on."""
  down, right = geometry.stride
  return image[:, ::down, ::right]
