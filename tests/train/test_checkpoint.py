import logging
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.errors import JaxnetsError
from jaxnets.train.checkpoint import Checkpoints


def tree(value: float):
  return {"w": jnp.full((64, 8), value), "step": jnp.asarray(int(value), jnp.int32)}


ABSTRACT = jax.tree.map(
  lambda x: jax.ShapeDtypeStruct(
    x.shape, x.dtype, sharding=jax.sharding.SingleDeviceSharding(jax.devices()[0])
  ),
  tree(0),
)


@pytest.fixture
def saved(tmp_path, caplog):
  """A folder with steps 2 and 3 (1 was dropped)."""
  caplog.set_level(logging.WARNING, logger="jaxnets")
  logging.getLogger("jaxnets").propagate = True
  checkpoints = Checkpoints(tmp_path, keep=2)
  for step in (1, 2, 3):
    checkpoints.save(step, tree(step))
  checkpoints.close()
  return tmp_path


def restored(directory: Path):
  checkpoints = Checkpoints(directory, keep=2)
  try:
    return checkpoints.restore(ABSTRACT)
  finally:
    checkpoints.close()


def files(directory: Path):
  return [p for p in sorted(directory.rglob("*")) if p.is_file() and p.stat().st_size > 0]


def test_an_empty_folder_holds_no_state(tmp_path):
  assert restored(tmp_path) is None


def test_the_newest_state_comes_back_bit_by_bit_and_only_the_kept_ones_stay(saved):
  state = restored(saved)
  np.testing.assert_array_equal(state["w"], tree(3)["w"])
  assert sorted(p.name for p in saved.iterdir()) == ["2", "2.sha256.json", "3", "3.sha256.json"]


def test_a_flipped_bit_in_any_file_is_noticed_and_the_step_before_is_used(saved, caplog):
  data = max(files(saved / "3"), key=lambda p: p.stat().st_size)
  content = bytearray(data.read_bytes())
  content[len(content) // 2] ^= 1
  data.write_bytes(bytes(content))
  assert int(restored(saved)["step"]) == 2
  assert "checkpoint 3 is damaged" in caplog.text


def test_a_missing_file_is_noticed(saved):
  files(saved / "3")[0].unlink()
  assert int(restored(saved)["step"]) == 2


def test_a_stray_folder_is_put_aside_and_does_not_stop_later_saves(saved, caplog):
  (saved / "999999").mkdir()
  checkpoints = Checkpoints(saved, keep=2)
  assert int(checkpoints.restore(ABSTRACT)["step"]) == 3
  checkpoints.save(4, tree(4))
  checkpoints.close()
  assert "999999 is not a checkpoint" in caplog.text
  assert int(restored(saved)["step"]) == 4


def test_a_damaged_step_can_be_saved_again(saved):
  files(saved / "3")[0].unlink()
  checkpoints = Checkpoints(saved, keep=2)
  checkpoints.restore(ABSTRACT)
  checkpoints.save(3, tree(30))
  checkpoints.close()
  assert int(restored(saved)["step"]) == 30


def test_when_no_step_is_whole_nothing_starts_from_zero_in_silence(saved):
  for step in ("2", "3"):
    files(saved / step)[0].unlink()
  for reason in (r"3: .*; 2: ", r"[23].sha256.json"):  # also when the command is given again
    with pytest.raises(JaxnetsError, match=rf"no checkpoint in .* can be read \({reason}"):
      restored(saved)
