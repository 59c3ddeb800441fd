"""`sweep --cell` and `sweep --worker`: cells of a sweep in this process. Not a verb."""

from pathlib import Path

from absl import flags

from jaxnets.cli.logs import said_to
from jaxnets.cli.train import trackers
from jaxnets.errors import ConfigError


def run(values: flags.FlagValues) -> int:
  """Runs one cell in this process, or those whose hashes come on standard input."""
  from jaxnets.cli.train import prepare_process, show_result
  from jaxnets.config import from_json
  from jaxnets.runs import now
  from jaxnets.sweep import folder, worker

  if not values.workdir:
    raise ConfigError("--workdir is missing: the folder of the sweep")
  sweep = folder.read(Path(values.workdir).absolute())
  manner = worker.Manner(values.data_dir, said_to, trackers(values), values.retry_failed, now())
  if values.worker:
    started = []

    def run_some(rows, plan):
      first = from_json(rows[0]["config"])
      if not started:
        prepare_process(values, sweep.workdir / rows[0]["folder"], first)
        started.append(True)
      if plan is not None:
        yield from worker.run_cells(sweep, rows, plan, manner)
        return
      try:
        if values.probe:
          from jaxnets.sweep.preflight import probe_cell

          found = probe_cell(first, values.data_dir, values.probe, int(values.members))._asdict()
        else:
          found = {}
          worker.run_cell(sweep, rows[0], manner)
      except Exception as error:
        found = error
      yield rows[0], found

    worker.serve(sweep, run_some)
    return 0
  row = folder.find(sweep, values.cell)
  if "net" not in row["config"]:
    raise ConfigError(
      f"{row['folder']} is a pipeline of hand-made features, not a net\n"
      "Run it with the command of classical that declared it"
    )
  prepare_process(values, sweep.workdir / row["folder"], from_json(row["config"]))
  try:
    summary = worker.run_cell(sweep, row, manner)
  except worker.ElsewhereError:
    raise ConfigError(f"{row['folder']} is being run by another process") from None
  show_result(summary, sweep.workdir / row["folder"], sweep.spec, values.format)
  return 0


def passed_on(values: flags.FlagValues) -> list[str]:
  """The flags that workers take as well."""
  names = ("data_dir", "platform", "kernels")
  given = [f"--{name}={values[name].value}" for name in names if values[name].value is not None]
  if values.retry_failed:
    given.append("--retry_failed")
  return [*given, f"--track={','.join(trackers(values))}"] if values.track else given
