"""Saving and restoring the state: the only place that knows orbax.

Orbax commits a step by renaming its folder, so a kill leaves whole steps only. It does not notice
flipped bits and takes any folder with a number for a step; so every file's SHA-256 is kept beside
the steps, and a step that is not whole is put aside with a warning.
"""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from jaxnets.errors import JaxnetsError
from jaxnets.runs import write_json

log = logging.getLogger("jaxnets")


class Checkpoints:
  """The kept steps of one run folder."""

  def __init__(self, directory: Path, keep: int):
    """Opens `directory` (made when missing) and puts aside what is not a whole step."""
    self.directory = directory.absolute()
    self.directory.mkdir(parents=True, exist_ok=True)
    if jax.process_index() == 0:
      self._put_aside_strays()
    self._manager = ocp.CheckpointManager(
      self.directory,
      options=ocp.CheckpointManagerOptions(max_to_keep=keep, cleanup_tmp_directories=True),
    )
    self._unsigned: int | None = None  # the step on its way to disk

  def save(self, step: int, state: Any) -> None:
    """Starts writing `state` in the background, once the step before is on disk and signed."""
    self.wait()
    if step in self._manager.all_steps():
      return
    self._manager.save(step, args=ocp.args.StandardSave(state), force=True)
    self._unsigned = step

  def wait(self) -> None:
    """Returns when all that was saved is on disk and signed."""
    self._manager.wait_until_finished()
    self.sign()

  def sign(self) -> None:
    """Signs the last saved step with the SHA-256 of its files, if it is on disk by now."""
    if self._manager.is_saving_in_progress():
      return
    if self._unsigned is not None and jax.process_index() == 0:
      step, kept = self._unsigned, {str(s) for s in self._manager.all_steps()}
      write_json(self._signature(step), _file_sums(self.directory / str(step)))
      for path in self.directory.glob("*.sha256.json"):
        if path.name.split(".")[0] not in kept:
          path.unlink()
    self._unsigned = None

  def close(self) -> None:
    """Waits, then lets go of the folder."""
    self.wait()
    self._manager.close()

  def steps(self) -> list[int]:
    """The steps on disk, oldest first."""
    return sorted(self._manager.all_steps())

  def restore(self, abstract: Any) -> Any | None:
    """The newest state that is whole, laid out as `abstract`; None when nothing was ever saved.

    Args:
      abstract: the state's tree of `jax.ShapeDtypeStruct`s with shardings.

    Raises:
      JaxnetsError: there are steps, and none of them is whole.
    """
    refused = []
    for step in reversed(self.steps()):
      damage = self._damage(step)
      if damage is None:
        try:
          return self._manager.restore(step, args=ocp.args.StandardRestore(abstract))
        except Exception as error:  # orbax raises whatever its readers raise
          damage = str(error).splitlines()[0]
      refused.append(f"{step}: {damage}")
      log.warning("checkpoint %s is damaged (%s); trying the one before", step, damage)
      self._put_aside(self.directory / str(step))
      self._manager.reload()
    signed = [path.name for path in self.directory.glob("*.sha256.json")]
    if refused or signed:  # there were steps once: never start from zero in silence
      raise JaxnetsError(
        f"no checkpoint in {self.directory} can be read ({'; '.join(refused or signed)})\n"
        "Start again with another --workdir; nothing was deleted"
      )
    return None

  def _damage(self, step: int) -> str | None:
    """What is wrong with the files of a step; None when they are as they were written."""
    path = self._signature(step)
    if not path.exists():  # killed between the commit and the signature
      return None
    expected = json.loads(path.read_text())
    found = _file_sums(self.directory / str(step))
    wrong = [name for name in expected if found.get(name) != expected[name]]
    return f"{wrong[0]} is not as it was written" if wrong else None

  def _signature(self, step: int) -> Path:
    return self.directory / f"{step}.sha256.json"

  def _put_aside_strays(self) -> None:
    for path in [p for p in self.directory.iterdir() if p.name.isdigit()]:
      committed = (path / "_CHECKPOINT_METADATA").exists()
      if not committed and not self._signature(int(path.name)).exists():
        log.warning("%s is not a checkpoint; put aside", path)
        self._put_aside(path)

  def _put_aside(self, path: Path) -> None:
    target = path.with_name(f"refused-{path.name}")
    number = 1
    while target.exists():
      number += 1
      target = path.with_name(f"refused-{path.name}-{number}")
    path.rename(target)


def _file_sums(directory: Path) -> dict[str, str]:
  """{relative path: SHA-256} of all files below `directory`."""
  return {
    str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted(directory.rglob("*"))
    if path.is_file()
  }
