"""Batch normalisation with the sum and the ReLU that follow it; local response normalisation."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.kernels import forms, plain
from jaxnets.kernels.checks import all_float32, check_images, check_shape
from jaxnets.kernels.plain import ResponseNorm


def batch_norm(
  x: jax.Array,
  scale: jax.Array,
  bias: jax.Array,
  add: jax.Array | None = None,
  *,
  group: int,
  epsilon: float,
  relu: bool = False,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Normalises by the batch's own moments: (x - mean) / sqrt(variance + epsilon) * scale + bias.

  Ioffe and Szegedy 2015, algorithm 1, over groups of `group` consecutive examples.

  Args:
    x: [batch, ..., channels].
    scale, bias: float32 [channels].
    add: summed after the normalisation, before the ReLU; as x.
    group: examples per statistics group; divides the batch.
    epsilon: added to the variance.
    relu: whether max(0, x) follows.

  Returns:
    the result, in x's shape and dtype; mean and biased variance, float32 [batch / group, channels].

  Raises:
    ValueError: shapes that do not fit each other.
  """
  if group < 1 or x.shape[0] % group:
    raise ValueError(f"group (={group}) must divide the batch (={x.shape[0]})")
  check_shape("scale", scale, x.shape[-1:])
  check_shape("bias", bias, x.shape[-1:])
  check_shape("add", add, x.shape)
  operation = _batch_norm if _has_forms(x, scale, bias, add) else plain.batch_norm
  return operation(group, epsilon, relu, x, scale, bias, add)


def local_response_norm(
  image: jax.Array, *, k: float = 2.0, n: int = 5, alpha: float = 1e-4, beta: float = 0.75
) -> jax.Array:
  """a / (k + alpha * sum of a^2 over the n neighbouring channels) ^ beta.

  Krizhevsky et al. 2012, section 3.3. `alpha` is not divided by `n`, as in the paper; Caffe and
  PyTorch divide, so their alpha = 5e-4 is the 1e-4 here. Windows are cut at the first and last
  channel.

  [batch, height, width, channels] -> the same shape and dtype; computed in float32.
  """
  check_images(image)
  operation = _response_norm if _has_forms(image) else plain.response_norm
  return operation(ResponseNorm(k, n, alpha, beta), image)


def _has_forms(x: jax.Array, *others: jax.Array | None) -> bool:
  """Whether another form than the plain one may stand in."""
  return forms.on_cpu() and x.ndim == 4 and all_float32(x, *others)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _batch_norm(group, epsilon, relu, x, scale, bias, add):
  own = functools.partial(_normalise_batch, group, epsilon, relu)
  return forms.choose(
    own, functools.partial(plain.batch_norm, group, epsilon, relu), x, scale, bias, add
  )


def _batch_norm_forward(group, epsilon, relu, x, scale, bias, add):
  result: Any = _batch_norm(group, epsilon, relu, x, scale, bias, add)
  return result, (x, scale, bias, add, *result)


def _batch_norm_backward(group, epsilon, relu, kept, gradients):
  own = functools.partial(_normalise_batch_gradient, group, epsilon, relu)
  other = functools.partial(_batch_norm_gradient, group, epsilon, relu)
  return forms.choose(own, other, kept, gradients)


def _batch_norm_gradient(group, epsilon, relu, kept, gradients):
  function = functools.partial(plain.batch_norm, group, epsilon, relu)
  return jax.vjp(function, *kept[:4])[1](gradients)


_batch_norm.defvjp(_batch_norm_forward, _batch_norm_backward)


def _normalise_batch(group, epsilon, relu, x, scale, bias, add):
  """Two passes over x: the sums of each image, of which the moments are made; the result."""
  own = forms.on_cpu_form()
  sums, squares = own.norm_sums(x)
  count = group * x.shape[1] * x.shape[2]
  mean = _over_groups(sums, group) / count
  variance = jnp.maximum(_over_groups(squares, group) / count - jnp.square(mean), 0.0)
  rows = [_rows(v, x, group) for v in (mean, scale * lax.rsqrt(variance + epsilon))]
  return own.norm(x, *rows, bias, add, relu), mean, variance


def _normalise_batch_gradient(group, epsilon, relu, kept, gradients):
  """Algorithm 1's chain rule in two passes: sums over the pixels, then the gradient of each.

  With g the gradient behind the ReLU, and all sums and means over a statistics group,
  dx = factor g + slope (x - mean) + offset.
  """
  x, scale, bias, add, out, mean, variance = kept
  dy, dmean, dvariance = gradients
  own = forms.on_cpu_form()
  count = group * x.shape[1] * x.shape[2]
  inverse = lax.rsqrt(variance + epsilon)
  factor = scale * inverse
  rows = [_rows(v, x, group) for v in (mean, factor)]
  # Where nothing was added, x says where the ReLU let pass; elsewhere what came out does, and the
  # gradient behind the ReLU is wanted itself.
  added = add is not None
  g_sums, gx_sums, g = own.norm_gradient_sums(
    dy, x, out if relu and added else None, *rows, bias, relu
  )
  g_sums, gx_sums = _over_groups(g_sums, group), _over_groups(gx_sums, group)

  dvariance = dvariance - 0.5 * scale * inverse**3 * gx_sums
  slope = _rows(2 * dvariance / count, x, group)
  offset = _rows((dmean - factor * g_sums) / count, x, group)
  behind = dy if g is None else g
  dx = own.norm_gradient(behind, x, *rows, bias, slope, offset, relu and g is None)
  return dx, (inverse * gx_sums).sum(0), g_sums.sum(0), behind if added else None


def _over_groups(sums: jax.Array, group: int) -> jax.Array:
  """[batch, channels] -> [batch / group, channels], sums over the images of a group."""
  return sums.reshape(-1, group, sums.shape[-1]).sum(1)


def _rows(values: jax.Array, x: jax.Array, group: int) -> jax.Array:
  """[groups, channels] -> [channels] when there is one group, else [batch, channels]."""
  if len(values) == 1:
    return values[0]
  return jnp.broadcast_to(values[:, None], (len(values), group, x.shape[-1])).reshape(len(x), -1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _response_norm(constants, image):
  own = functools.partial(forms.on_cpu_form().response_norm, constants)
  return forms.choose(own, functools.partial(plain.response_norm, constants), image)


def _response_norm_backward(constants, image, dy):
  own = functools.partial(forms.on_cpu_form().response_norm_gradient, constants)
  return (forms.choose(own, functools.partial(_response_norm_gradient, constants), image, dy),)


def _response_norm_gradient(constants, image, dy):
  return jax.vjp(functools.partial(plain.response_norm, constants), image)[1](dy)[0]


_response_norm.defvjp(
  lambda constants, image: (_response_norm(constants, image), image), _response_norm_backward
)
