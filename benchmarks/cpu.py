"""Measurements of the networks on a CPU, beside PyTorch, in float32.

    python benchmarks/cpu.py speed --torch_python=PATH   # ms per step: ours, plain JAX, PyTorch
    python benchmarks/cpu.py runs --data_dir=DIR         # whole runs, with and without the kernels
    python benchmarks/cpu.py profile --nets=resnet50     # where a step's time goes
    python benchmarks/cpu.py table --from=DIR            # the tables of docs/cpu.md

Every measurement is a JSON file below --out. `--small` does each part in a minute.
Exit codes: 0 done; 1 something of ours failed; 2 usage; 75 time is up, go on with what is left.
"""

import argparse
import os
import sys
from pathlib import Path

# Run as a script, from any folder, also where jaxnets is not installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> int:
  """Runs one part; returns the exit code."""
  values = parser().parse_args(arguments)

  from jaxnets.errors import JaxnetsError

  try:
    return values.run(values)
  except JaxnetsError as error:
    print(f"error: {error}", file=sys.stderr)
    return error.exit_code


def parser() -> argparse.ArgumentParser:
  """The flags of all parts."""
  top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parts = top.add_subparsers(metavar="PART", required=True)
  shared = argparse.ArgumentParser(add_help=False)
  out = os.environ.get("OUT") or "runs/cpu"
  shared.add_argument("--out", type=Path, default=Path(out), help="folder of the records")
  shared.add_argument("--small", action="store_true", help="tiny: shows that all works, no more")
  shared.add_argument("--minutes", type=float, default=0.0, help="begin nothing after; 0: no limit")

  part = parts.add_parser("speed", parents=[shared], help="ms per step, beside PyTorch")
  part.add_argument("--torch_python", default=sys.executable, help="interpreter with PyTorch")
  part.add_argument("--nets", type=_words, default=(), help="these only, with commas between")
  part.add_argument("--modes", type=_words, default=(), help="train, infer")
  part.add_argument("--reps", type=int, default=7, help="repetitions, taking turns")
  part.set_defaults(run=_speed)

  part = parts.add_parser("worker", help="what speed starts: one framework, driven by stdin")
  part.add_argument("framework")
  part.add_argument("net")
  part.add_argument("--small", action="store_true")
  part.set_defaults(run=_worker)

  part = parts.add_parser("runs", parents=[shared], help="quickstart and an epoch of CIFAR-10")
  part.add_argument("--data_dir", default="", help="of the prepared CIFAR-10")
  part.add_argument("--only", type=_words, default=(), help="quickstart, cifar10_epoch")
  part.add_argument("--reps", type=int, default=2, help="repetitions, taking turns")
  part.set_defaults(run=_runs)

  part = parts.add_parser("profile", parents=[shared], help="where the time of a step goes")
  part.add_argument("--nets", type=_words, default=(), help="these only, with commas between")
  part.add_argument("--steps", type=int, default=10, help="that are averaged")
  part.set_defaults(run=_profile)

  part = parts.add_parser("table", help="records -> the tables of the documentation")
  part.add_argument("--from", dest="records", type=Path, default=Path(out), help="their folder")
  part.add_argument("--to", type=Path, default=ROOT / "docs" / "cpu.md", help="page, in place")
  part.set_defaults(run=_table)
  return top


def _words(text: str) -> tuple[str, ...]:
  return tuple(w for w in text.split(",") if w)


def _speed(values: argparse.Namespace) -> int:
  from benchmarks import cpu_speed
  from benchmarks.records import chosen, deadline

  modes = chosen(values.modes, cpu_speed.MODES, "--modes")
  plan = cpu_speed.Plan(modes, values.reps, values.torch_python, values.small)
  if values.small:
    plan = plan._replace(turn_seconds=0.05)
  names = chosen(values.nets, cpu_speed.SMALL if values.small else cpu_speed.BATCHES)
  return cpu_speed.measure(values.out, names, plan, deadline(values.minutes))


def _worker(values: argparse.Namespace) -> int:
  from benchmarks import cpu_speed, workers

  return workers.serve(cpu_speed.maker(values.framework, values.net, values.small))


def _runs(values: argparse.Namespace) -> int:
  from benchmarks import cpu_runs
  from benchmarks.records import chosen, deadline

  names = chosen(values.only, cpu_runs.RUNS, "--only")
  until = deadline(values.minutes)
  return cpu_runs.measure(values.out, names, values.data_dir, values.reps, values.small, until)


def _profile(values: argparse.Namespace) -> int:
  from jaxnets import memory

  memory.keep_freed()  # before JAX
  from benchmarks import cpu_profile, cpu_speed
  from benchmarks.records import chosen

  names = chosen(values.nets, cpu_speed.SMALL if values.small else cpu_speed.BATCHES)
  return cpu_profile.measure(values.out, names, values.steps, values.small)


def _table(values: argparse.Namespace) -> int:
  from benchmarks import cpu_table

  return cpu_table.write(values.records, values.to)


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
