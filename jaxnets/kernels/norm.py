"""Batch normalisation with the sum and the ReLU that follow it; local response normalisation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.kernels import calls
from jaxnets.kernels.forms import choose, form, on_cpu


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
  """
  operation = _batch_norm if _faster(x) else plain_batch_norm
  return operation(group, epsilon, relu, x, scale, bias, add)


def plain_batch_norm(group, epsilon, relu, x, scale, bias, add):
  """What `batch_norm` means."""
  mean, variance = batch_moments(x, group)
  out = normalise(x, mean, variance, scale, bias, epsilon)
  out = out if add is None else out + add
  return jax.nn.relu(out) if relu else out, mean, variance


def batch_moments(x: jax.Array, group: int) -> tuple[jax.Array, jax.Array]:
  """Mean and biased variance of each channel over groups of `group` consecutive examples.

  Args:
    x: [batch, ..., channels]; moments are taken over all axes but the last, in float32.
    group: examples per statistics group; divides the batch.

  Returns:
    mean and variance, float32 [batch / group, channels].
  """
  grouped = x.reshape(x.shape[0] // group, -1, x.shape[-1]).astype(jnp.float32)
  mean = grouped.mean(1)
  # One pass over the activations: E[x^2] - E[x]^2, never below zero by rounding.
  variance = jnp.maximum(jnp.square(grouped).mean(1) - jnp.square(mean), 0.0)
  return mean, variance


def normalise(
  x: jax.Array,
  mean: jax.Array,
  variance: jax.Array,
  scale: jax.Array,
  bias: jax.Array,
  epsilon: float,
) -> jax.Array:
  """(x - mean) / sqrt(variance + epsilon) * scale + bias, in float32, returned in x's dtype.

  Args:
    x: [batch, ..., channels].
    mean, variance: [groups, channels]; group g holds the g-th run of batch / groups examples.
    scale, bias: [channels].
    epsilon: added to the variance.
  """
  groups, channels = mean.shape
  factor = scale * lax.rsqrt(variance + epsilon)
  grouped = x.reshape(groups, -1, channels).astype(jnp.float32)
  out = (grouped - mean[:, None]) * factor[:, None] + bias
  return out.reshape(x.shape).astype(x.dtype)


def _faster(x: jax.Array) -> bool:
  """Whether a form other than the plain one may stand in."""
  return on_cpu() and x.dtype == jnp.float32 and x.ndim == 4 and x.size > 0


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _batch_norm(group, epsilon, relu, x, scale, bias, add):
  own = functools.partial(_forward, group, epsilon, relu)
  plain = functools.partial(plain_batch_norm, group, epsilon, relu)
  return choose(own, plain, x, scale, bias, add)


def _batch_norm_forward(group, epsilon, relu, x, scale, bias, add):
  out, mean, variance = _batch_norm(group, epsilon, relu, x, scale, bias, add)
  return (out, mean, variance), (x, scale, bias, add, out, mean, variance)


def _batch_norm_backward(group, epsilon, relu, kept, gradients):
  own = functools.partial(_backward, group, epsilon, relu)

  def plain(kept, gradients):
    function = functools.partial(plain_batch_norm, group, epsilon, relu)
    return jax.vjp(function, *kept[:4])[1](gradients)

  return choose(own, plain, kept, gradients)


_batch_norm.defvjp(_batch_norm_forward, _batch_norm_backward)


def _forward(group, epsilon, relu, x, scale, bias, add):
  """Two passes over x: the sums of each image, of which the moments are made; the result."""
  sums, squares = _sums(x)
  count = group * x.shape[1] * x.shape[2]
  mean = _over_groups(sums, group) / count
  variance = jnp.maximum(_over_groups(squares, group) / count - jnp.square(mean), 0.0)
  factor = scale * lax.rsqrt(variance + epsilon)
  rows = [_rows(v, x, group) for v in (mean, factor)]
  return _apply(x, *rows, bias, add, relu), mean, variance


def _backward(group, epsilon, relu, kept, gradients):
  """Algorithm 1's chain rule in two passes: sums over the pixels, then the gradient of each.

  With g the gradient behind the ReLU, and all sums and means over a statistics group,
  dx = factor g + slope (x - mean) + offset.
  """
  x, scale, bias, add, out, mean, variance = kept
  dy, dmean, dvariance = gradients
  count = group * x.shape[1] * x.shape[2]
  inverse = lax.rsqrt(variance + epsilon)
  factor = scale * inverse
  rows = [_rows(v, x, group) for v in (mean, factor)]
  # Where nothing was added, x says where the ReLU let pass; elsewhere what came out does.
  out = out if relu and add is not None else None
  g_sums, gx_sums, g = _gradient_sums(dy, x, out, *rows, bias, relu)
  g_sums, gx_sums = _over_groups(g_sums, group), _over_groups(gx_sums, group)

  dvariance = dvariance - 0.5 * scale * inverse**3 * gx_sums
  slope = _rows(2 * dvariance / count, x, group)
  offset = _rows((dmean - factor * g_sums) / count, x, group)
  if g is None:
    dx = _gradient(dy, x, *rows, bias, slope, offset, relu)
  else:
    dx = _gradient(g, x, *rows, bias, slope, offset, False)
  dadd = None if add is None else dy if g is None else g
  return dx, (inverse * gx_sums).sum(0), g_sums.sum(0), dadd


def _over_groups(sums: jax.Array, group: int) -> jax.Array:
  """[batch, channels] -> [batch / group, channels], sums over the images of a group."""
  return sums.reshape(-1, group, sums.shape[-1]).sum(1)


def _rows(values: jax.Array, x: jax.Array, group: int) -> jax.Array:
  """[groups, channels] -> [channels] when there is one group, else [batch, channels]."""
  return values[0] if len(values) == 1 else jnp.repeat(values, group, 0, total_repeat_length=len(x))


def _row_argument(rows: jax.Array):
  return (calls.SHARED if rows.ndim == 1 else calls.IMAGES, rows)


def _per_image(x: jax.Array):
  return (calls.IMAGES, jax.ShapeDtypeStruct((x.shape[0], x.shape[-1]), x.dtype))


def _like(x: jax.Array):
  return (calls.IMAGES, jax.ShapeDtypeStruct(x.shape, x.dtype))


def _spread(rows: jax.Array) -> jax.Array:
  """Numbers per channel in the shape that multiplies images."""
  return rows if rows.ndim == 1 else rows[:, None, None]


def _sums(x):
  """Sums and sums of squares over the pixels of each image: [batch, channels], twice."""
  if form() == "plain":
    return _pixel_sum(x), _pixel_sum(x * x)
  return calls.call("jaxnets_norm_sums", [(calls.IMAGES, x)], [_per_image(x)] * 2)


def _apply(x, mean, factor, bias, add, relu):
  """(x - mean) * factor + bias + add, then ReLU."""
  if form() == "plain":
    out = (x - _spread(mean)) * _spread(factor) + bias
    out = out if add is None else out + add
    return jax.nn.relu(out) if relu else out
  (out,) = calls.call(
    "jaxnets_norm",
    [
      (calls.IMAGES, x),
      *map(_row_argument, (mean, factor, bias)),
      None if add is None else (calls.IMAGES, add),
    ],
    [_like(x)],
    relu=np.bool_(relu),
  )
  return out


def _gradient_sums(dy, x, out, mean, factor, bias, relu):
  """Sums over the pixels of each image of g and of g (x - mean); and g, or None if it is as dy."""
  if form() == "plain":
    g = dy
    if relu:
      out = _apply(x, mean, factor, bias, None, False) if out is None else out
      g = jnp.where(out > 0, dy, 0)
    return _pixel_sum(g), _pixel_sum(g * (x - _spread(mean))), g if relu else None
  given = relu and out is not None
  first, second, *g = calls.call(
    "jaxnets_norm_gradient_sums",
    [
      (calls.IMAGES, dy),
      (calls.IMAGES, x),
      (calls.IMAGES, out) if given else None,
      *map(_row_argument, (mean, factor, bias)),
    ],
    [_per_image(x), _per_image(x), _like(x) if given else None],
    relu=np.bool_(relu),
  )
  return first, second, g[0] if given else None


def _gradient(dy, x, mean, factor, bias, slope, offset, relu):
  """factor g + slope (x - mean) + offset."""
  if form() == "plain":
    return _spread(factor) * dy + _spread(slope) * (x - _spread(mean)) + _spread(offset)
  (dx,) = calls.call(
    "jaxnets_norm_gradient",
    [
      (calls.IMAGES, dy),
      (calls.IMAGES, x),
      None,
      *map(_row_argument, (mean, factor, bias, slope, offset)),
    ],
    [_like(x)],
    relu=np.bool_(relu),
  )
  return dx


def _pixel_sum(x: jax.Array) -> jax.Array:
  """[batch, height, width, channels] -> [batch, channels], as a product, which XLA computes fast."""
  pixels = x.reshape(len(x), -1, x.shape[-1])
  return jnp.einsum("p,npc->nc", jnp.ones(pixels.shape[1], x.dtype), pixels)


def local_response_norm(
  image: jax.Array, *, k: float = 2.0, n: int = 5, alpha: float = 1e-4, beta: float = 0.75
) -> jax.Array:
  """a / (k + alpha * sum of a^2 over the n neighbouring channels) ^ beta.

  Krizhevsky et al. 2012, section 3.3. `alpha` is not divided by `n`, as in the paper; Caffe and
  PyTorch divide, so their alpha = 5e-4 is the 1e-4 here. Windows are cut at the first and last
  channel.

  [batch, height, width, channels] -> the same shape and dtype; computed in float32.
  """
  operation = _response_norm if _faster(image) else plain_response_norm
  return operation((k, alpha, beta), n, image)


def plain_response_norm(constants, n, image):
  """What `local_response_norm` means."""
  k, alpha, beta = constants
  a = image.astype(jnp.float32)
  before = n // 2
  sums = lax.reduce_window(
    jnp.square(a),
    0.0,
    lax.add,
    (1, 1, 1, n),
    (1, 1, 1, 1),
    ((0, 0), (0, 0), (0, 0), (before, n - 1 - before)),
  )
  return (a * (k + alpha * sums) ** -beta).astype(image.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _response_norm(constants, n, image):
  def own(image):
    (out,) = calls.call(
      "jaxnets_lrn",
      [(calls.IMAGES, image)],
      [_like(image)],
      constants=np.array(constants, np.float32),
      n=np.int64(n),
    )
    return out

  plain = functools.partial(plain_response_norm, constants, n)
  return choose(plain if form() == "plain" else own, plain, image)


def _response_norm_forward(constants, n, image):
  return _response_norm(constants, n, image), image


def _response_norm_backward(constants, n, image, dy):
  def own(image, dy):
    (dx,) = calls.call(
      "jaxnets_lrn_gradient",
      [(calls.IMAGES, dy), (calls.IMAGES, image)],
      [_like(image)],
      constants=np.array(constants, np.float32),
      n=np.int64(n),
    )
    return dx

  def plain(image, dy):
    return jax.vjp(functools.partial(plain_response_norm, constants, n), image)[1](dy)[0]

  return (choose(plain if form() == "plain" else own, plain, image, dy),)


_response_norm.defvjp(_response_norm_forward, _response_norm_backward)
