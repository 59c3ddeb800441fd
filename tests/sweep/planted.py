"""Run folders with planted results, as real runs leave them."""

import json
from pathlib import Path

from jaxnets import config
from jaxnets.sweep import cells, folder
from tests.train.tiny import tiny_config

PROTOCOL = "last step, parameters, one view of 8x8 px"


def plant(workdir: Path, overrides, metrics, *, protocol=PROTOCOL, states=None, base=None):
  """A sweep folder.

  Args:
    workdir: made.
    overrides: of each cell.
    metrics: test_top1 of each cell, or None for one that is not done.
    protocol: of all, or a list.
    states: of each cell, "done" for those with metrics and "failed" for the others unless given.
  """
  base = base or tiny_config()
  found = cells.resolve(base, overrides, lambda *given: {})
  folder.write(workdir, "experiments/planted.py", "Does it matter?", base, found)
  for i, (cell, value) in enumerate(zip(found, metrics, strict=True)):
    place = workdir / cell.folder
    place.mkdir()
    state = states[i] if states else "done" if value is not None else "failed"
    record = {
      "schema": 1, "state": state, "steps": 8, "devices": "1 x cpu", "code": "abc", "jax": "0.10",
      "starts": [{"time": "2026-01-01T10:00:00+0000"}], "ended": "2026-01-01T10:01:40+0000",
      "error": "" if value is not None else "loss is not finite\nTry less", "test_reads": 1,
    }  # fmt: skip
    (place / "run.json").write_text(json.dumps(record))
    (place / "config.json").write_text(json.dumps(config.to_json(cell.config)))
    if value is None:
      continue
    said = protocol if isinstance(protocol, str) else protocol[i]
    summary = {
      "state": "done", "step": 8, "params_sha256": f"{workdir} {i}", "params": 100 * (i + 1),
      "macs": 1000 * (i + 1), "net": {"name": cell.config.net.name},
      "metrics": {
        "test_top1": value, "test_loss": 1 - value, "test_count": 500, "train_top1": value,
        "train_loss": 1 - value, "train_count": 64, "protocol": said,
      },
    }  # fmt: skip
    (place / "summary.json").write_text(json.dumps(summary))
  return found
