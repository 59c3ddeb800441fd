"""Dotted config keys as people read them. No JAX here."""

from collections.abc import Iterable


def shorten(keys: Iterable[str]) -> dict[str, str]:
  """{"net.depth": "depth", ...}: the last words of keys, whole keys where these are the same."""
  keys = list(keys)
  last = [key.rpartition(".")[2] for key in keys]
  return {key: key if last.count(word) > 1 else word for key, word in zip(keys, last, strict=True)}
