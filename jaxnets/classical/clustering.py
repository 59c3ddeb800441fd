"""k-means, as the features that learn a vocabulary use it."""

import numpy as np

from jaxnets.errors import ConfigError

_ITERATIONS = 30


def centres(points: np.ndarray, count: int, seed: int) -> np.ndarray:
  """Centres of `count` clusters of points [n, d] by Lloyd's algorithm, float32 [count, d].

  Raises:
    ConfigError: fewer points than clusters.
  """
  from sklearn.cluster import KMeans

  if len(points) < count:
    raise ConfigError(
      f"k-means wants {count} centres of {len(points)} training points\n"
      "Use more pipeline.images, or fewer sift.words or kmeans.centroids"
    )
  found = KMeans(count, max_iter=_ITERATIONS, random_state=seed)  # begun once, by k-means++
  return found.fit(points).cluster_centers_.astype(np.float32)
