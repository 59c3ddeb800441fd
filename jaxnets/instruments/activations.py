"""What the activations of a layer are like: [..., channels], where all but channels are samples."""

import jax
import jax.numpy as jnp
from jax import lax
from jax.lax import linalg
from jax.scipy.linalg import eigh_tridiagonal

LARGE = 128  # rows of an eigenvalue problem that is not left to LAPACK's solver on a CPU


def zero_share(x: jax.Array) -> jax.Array:
  """The share of values that are exactly 0, as a ReLU gives them; float32, 0 to 1."""
  return (x == 0).mean(dtype=jnp.float32)


def dead(x: jax.Array) -> jax.Array:
  """Whether a channel is 0 in all samples, bool [channels]: of all the images that were given."""
  return (_samples(x) == 0).all(0)


def deviation(x: jax.Array) -> jax.Array:
  """The standard deviation over all values of a layer, float32.

  Of a layer's response, after the norm and before sum and activation, it is what figure 7 of He et
  al. 2015 (1512.03385) shows.
  """
  return x.astype(jnp.float32).std()


def mean_square(x: jax.Array) -> jax.Array:
  """The mean of the squared values, float32."""
  return jnp.square(x.astype(jnp.float32)).mean()


def correlation(x: jax.Array) -> jax.Array:
  """Pearson's correlation of the channels, float32 [channels, channels], -1 to 1.

  A channel that does not vary has 0 with all others, and 1 with itself as all have.
  """
  return _normalised(covariance(x))


def mean_correlation(x: jax.Array) -> jax.Array:
  """The mean size of the correlation of two different channels that both vary; 0 with fewer."""
  cov = covariance(x)
  count = (jnp.diag(cov) > 0).sum()
  pairs = jnp.maximum(count * (count - 1), 1)
  return (jnp.abs(_normalised(cov)).sum() - len(cov)) / pairs


def covariance(x: jax.Array) -> jax.Array:
  """The covariance of the channels over the samples, float32 [channels, channels]."""
  centred = _centred(x)
  return jnp.matmul(centred.T, centred, precision="highest") / len(centred)


def smaller_covariance(x: jax.Array) -> jax.Array:
  """`covariance`, or where samples are fewer than channels theirs, which has the same eigenvalues.

  All but zeros, that is: float32 [n, n], n the lesser number. It spares 4096 units of a fully
  connected layer an eigenvalue problem of 4096 rows for a batch of 128.
  """
  centred = _centred(x)
  samples, channels = centred.shape
  if channels <= samples:
    return covariance(x)
  return jnp.matmul(centred, centred.T, precision="highest") / samples


def spectrum(x: jax.Array) -> jax.Array:
  """The variances of the principal components, float32 [channels], falling, 0 or more."""
  return energies(smaller_covariance(x), x.shape[-1])


def energies(small: jax.Array, channels: int) -> jax.Array:
  """The spectrum from what `smaller_covariance` gave of so many channels; [..., n, n] at once."""
  eigenvalues = jnp.linalg.eigvalsh
  if small.shape[-1] > LARGE:
    found = lax.platform_dependent(small, cpu=_bisected, default=eigenvalues)
  else:
    found = eigenvalues(small)
  found = jnp.maximum(found[..., ::-1], 0)
  none = [(0, 0)] * (found.ndim - 1)
  return jnp.pad(found, (*none, (0, channels - found.shape[-1])))


def effective_rank(energies: jax.Array) -> jax.Array:
  """exp(H(p)) of p = energies / their sum: n for n equal ones, 1 for one alone; 0 for none.

  Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality", section 2, of
  the covariance matrix, whose singular values are its eigenvalues, which `spectrum` gives.
  """
  total = energies.sum()
  p = energies / jnp.where(total > 0, total, 1)
  entropy = -jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1)), 0).sum()
  return jnp.where(total > 0, jnp.exp(entropy), 0.0)


def components_holding(energies: jax.Array, share: float = 0.9) -> jax.Array:
  """The share of components, the largest first, that hold `share` of the energy; 0 to 1.

  Args:
    energies: falling, as `spectrum` gives them.
    share: 0 to 1. A part in 10^5 is forgiven, for rounding.
  """
  total = energies.sum()
  short = jnp.cumsum(energies) < share * total * (1 - 1e-5)
  return jnp.where(total > 0, (short.sum() + 1) / len(energies), 0.0)


def _bisected(small: jax.Array) -> jax.Array:
  """Eigenvalues of symmetric matrices, rising, by a tridiagonal form and bisection.

  `eigvalsh` finds the vectors too, in threads of LAPACK's own that wait for each other where cores
  are busy: 512 rows took 3.4 s of two shared cores, this 0.02 s, and some 2 s more to compile.
  """

  def one(matrix: jax.Array) -> jax.Array:
    _, diagonal, beside, _ = linalg.tridiagonal(matrix, lower=True)
    return eigh_tridiagonal(diagonal, beside, eigvals_only=True)

  return jnp.vectorize(one, signature="(n,n)->(n)")(small)


def _normalised(cov: jax.Array) -> jax.Array:
  std = jnp.sqrt(jnp.diag(cov))
  varies = std > 0
  inverse = jnp.where(varies, 1 / jnp.where(varies, std, 1), 0)
  one = jnp.eye(len(std), dtype=bool)
  return jnp.where(one, 1.0, jnp.clip(cov * inverse * inverse[:, None], -1, 1))


def _centred(x: jax.Array) -> jax.Array:
  samples = _samples(x).astype(jnp.float32)
  return samples - samples.mean(0)


def _samples(x: jax.Array) -> jax.Array:
  return x.reshape(-1, x.shape[-1])
