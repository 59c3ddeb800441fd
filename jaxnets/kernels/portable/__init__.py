"""The CPU's operations in JAX alone, arranged as XLA computes them fastest there.

The same functions as in `native`, for where C++ cannot be had. Factors in the comments were
measured on two cores (Zen 5) with jaxlib 0.10.
"""

from jaxnets.kernels.portable.conv import conv, conv_image_gradient, conv_kernel_gradient
from jaxnets.kernels.portable.norm import (
  norm,
  norm_gradient,
  norm_gradient_sums,
  norm_sums,
  response_norm,
  response_norm_gradient,
)
from jaxnets.kernels.portable.pool import (
  average_pool,
  average_pool_gradient,
  max_pool,
  max_pool_gradient,
  max_pool_with_places,
)

__all__ = [
  "average_pool",
  "average_pool_gradient",
  "conv",
  "conv_image_gradient",
  "conv_kernel_gradient",
  "max_pool",
  "max_pool_gradient",
  "max_pool_with_places",
  "norm",
  "norm_gradient",
  "norm_gradient_sums",
  "norm_sums",
  "response_norm",
  "response_norm_gradient",
]
