"""Checks and measurements of the networks on a GPU, or on whatever device JAX finds.

    python benchmarks/gpu.py check                     # the device against the CPU
    python benchmarks/gpu.py speed --nets=resnet50     # images per second, beside torchvision
    python benchmarks/gpu.py pack --data_dir=DIR       # CIFAR-10 in files for ...
    python benchmarks/gpu.py cifar --data=packs        # ... the paper's CIFAR-10 recipe

Every measurement is a JSON file below --out. `--small` does all of it in a minute on a CPU.
Exit codes: 0 done; 1 a check failed; 2 usage; 75 time is up, the same command goes on.
"""

import argparse
import os
import sys
from pathlib import Path

# Run as a script, from any folder, also where jaxnets is not installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main(arguments: list[str]) -> int:
  """Runs one part; returns the exit code."""
  values = parser().parse_args(arguments)
  # The CPU is the reference of the checks, also where only the GPU is asked for.
  platforms = os.environ.get("JAX_PLATFORMS")
  if platforms and "cpu" not in platforms.split(","):
    os.environ["JAX_PLATFORMS"] = f"{platforms},cpu"
  if getattr(values, "small", False) and "jax" not in sys.modules:
    # What takes a minute there is to compile.
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
  # Other processes compute on the same device, in turn.
  os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

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
  out = os.environ.get("OUT") or "runs/gpu"
  shared.add_argument("--out", type=Path, default=Path(out), help="folder of the records")
  shared.add_argument("--small", action="store_true", help="tiny nets, for one CPU")
  shared.add_argument("--nets", type=_words, default=(), help="these only, with commas between")
  shared.add_argument("--minutes", type=float, default=0.0, help="begin nothing after; 0: no limit")

  part = parts.add_parser("check", parents=[shared], help="the device against the CPU")
  part.add_argument("--seed", type=int, default=0, help="of the images; 0 draws one")
  part.set_defaults(run=_check)

  part = parts.add_parser("speed", parents=[shared], help="images/s, beside torchvision")
  part.add_argument("--batch", type=int, default=256, help="halved until it fits")
  part.add_argument("--steps", type=int, default=20, help="in one repetition")
  part.add_argument("--reps", type=int, default=5, help="repetitions, taking turns")
  part.set_defaults(run=_speed)

  part = parts.add_parser("worker", help="what speed starts: one framework, driven by stdin")
  part.add_argument("framework")
  part.add_argument("net")
  part.add_argument("--batch", type=int, required=True)
  part.add_argument("--small", action="store_true")
  part.set_defaults(run=_worker)

  part = parts.add_parser("cifar", parents=[shared], help="CIFAR-10 by the paper's recipe")
  part.add_argument("--data", type=Path, help="a file of `pack`, or the folder with all of them")
  part.add_argument("--seeds", type=int, default=3, help="how many, from 0")
  part.add_argument("--steps", type=int, default=0, help="0: the recipe's 64,000")
  part.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
  part.set_defaults(run=_cifar)

  part = parts.add_parser("pack", help="a prepared set -> compressed files for `cifar`")
  part.add_argument("--name", default="cifar10")
  part.add_argument("--data_dir", help="of the prepared set")
  part.add_argument("--out", type=Path, default=Path("packs"), help="folder of the files")
  part.set_defaults(run=_pack)
  return top


def _words(text: str) -> tuple[str, ...]:
  return tuple(w for w in text.split(",") if w)


def _check(values: argparse.Namespace) -> int:
  from benchmarks import checks
  from benchmarks.records import chosen, deadline

  names = chosen(values.nets, checks.CASES)
  return checks.check(values.out, names, values.seed, values.small, deadline(values.minutes))


def _speed(values: argparse.Namespace) -> int:
  from benchmarks import speed
  from benchmarks.records import chosen, deadline

  plan = speed.Plan(values.batch, values.steps, values.reps)
  if values.small:
    plan = speed.SMALL
  names = chosen(values.nets, speed.SMALL_NETS if values.small else speed.NETS)
  return speed.measure(values.out, names, plan, values.small, deadline(values.minutes))


def _worker(values: argparse.Namespace) -> int:
  from benchmarks import workers

  made = workers.maker(values.framework, values.net, values.batch, values.small)
  return workers.serve(made)


def _cifar(values: argparse.Namespace) -> int:
  from benchmarks import cifar, recipes
  from benchmarks.records import chosen, deadline

  recipe = recipes.recipe(values.steps, values.precision, values.small)
  names = chosen(values.nets, cifar.NETS)
  until = deadline(values.minutes)
  return cifar.train_all(values.out, values.data, names, values.seeds, recipe, values.small, until)


def _pack(values: argparse.Namespace) -> int:
  from benchmarks import packs

  return packs.pack(values.name, values.data_dir, values.out)


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
