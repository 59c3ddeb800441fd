"""Dotted config keys and their values as people read them. No JAX here."""

from collections.abc import Iterable
from typing import Any

NOTHING = "\u2013"  # an en dash


def shorten(keys: Iterable[str]) -> dict[str, str]:
  """{"net.depth": "depth", ...}: the last words of keys, whole keys where these are the same."""
  keys = list(keys)
  last = [key.rpartition(".")[2] for key in keys]
  return {key: key if last.count(word) > 1 else word for key, word in zip(keys, last, strict=True)}


def text_of(value: Any) -> str:
  """A value as text: "0.1", "True", "16x32x64" of a list; a dash where a config lacks the key."""
  if value is None:
    return NOTHING
  if isinstance(value, list | tuple):
    return "x".join(map(str, value)) or "none"
  return str(value)
