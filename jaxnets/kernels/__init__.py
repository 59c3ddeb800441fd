"""The few operations the nets are made of, each defined by its plain JAX form.

Images are [batch, height, width, channels], convolution kernels [height, width, in / groups, out].
On a CPU faster forms stand in for the plain ones, see `forms`.
"""

from jaxnets.kernels.conv import NO_PADDING, Padding, conv, conv_normalised
from jaxnets.kernels.forms import describe
from jaxnets.kernels.norm import batch_moments, batch_norm, local_response_norm, normalise
from jaxnets.kernels.pool import adaptive_average_pool, average_pool, max_pool

__all__ = [
  "NO_PADDING",
  "Padding",
  "adaptive_average_pool",
  "average_pool",
  "batch_moments",
  "batch_norm",
  "conv",
  "conv_normalised",
  "describe",
  "local_response_norm",
  "max_pool",
  "normalise",
]
