"""Values that several pipelines of one process need, kept while there is room."""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np


class Memo:
  """Remembers what was made; forgets the oldest values beyond `limit` bytes of arrays."""

  def __init__(self, limit: int = 2 * 2**30):
    self._limit = limit
    self._values: dict[Hashable, Any] = {}

  def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
    """The value of `key`, made by `make` where it is not remembered."""
    value = self._values.pop(key) if key in self._values else make()
    self._values[key] = value  # the youngest now
    while len(self._values) > 1 and sum(map(_bytes, self._values.values())) > self._limit:
      self._values.pop(next(iter(self._values)))
    return value


def _bytes(value: Any) -> int:
  if isinstance(value, np.ndarray):
    return value.nbytes
  return sum(map(_bytes, value)) if isinstance(value, tuple) else 0
