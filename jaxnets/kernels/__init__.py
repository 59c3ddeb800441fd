"""The few operations the nets are made of, each defined by its plain JAX form.

Images are [batch, height, width, channels], convolution kernels [height, width, in / groups, out].

  conv, norm, pool   the operations with their gradients
  plain              what they mean; programs for GPUs and TPUs
  native, portable   what stands in for it on a CPU: C++, or JAX alone
  forms, calls       which of the two, and how JAX calls C++
"""

from jaxnets.kernels.conv import conv, conv_normalised
from jaxnets.kernels.forms import assumed, describe, foreseen, is_read
from jaxnets.kernels.norm import batch_norm, local_response_norm
from jaxnets.kernels.plain import NO_PADDING, Padding, batch_moments, normalise
from jaxnets.kernels.pool import adaptive_average_pool, average_pool, max_pool

__all__ = [
  "NO_PADDING",
  "Padding",
  "adaptive_average_pool",
  "assumed",
  "average_pool",
  "batch_moments",
  "batch_norm",
  "conv",
  "conv_normalised",
  "describe",
  "foreseen",
  "is_read",
  "local_response_norm",
  "max_pool",
  "normalise",
]
