"""What keeps XLA from computing a thing several times."""

import jax.numpy as jnp
from jax import lax


def computed_once(x):
  """x, for more readers than one.

  XLA fuses cheap operations into each of their readers: where a convolution's kernel gradient reads
  its image transposed, the normalisation is computed again, with the sums of all units before it; a
  third of ResNet-20's step. It fuses nothing across a conditional, and the barrier hides that this
  one is decided (a barrier alone is gone before XLA fuses).
  """
  return lax.cond(lax.optimization_barrier(jnp.bool_(True)), lambda x: x, lambda x: x + 1, x)
