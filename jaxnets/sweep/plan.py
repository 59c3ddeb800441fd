"""Several cells in one program: in which form, and whether that is faster. No JAX here.

What was timed is kept in the sweep's folder, so that the same command goes on in the same form.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxnets.errors import ConfigError
from jaxnets.runs import read_json, write_json
from jaxnets.sweep import folder

NAME = "members.json"
FORMS = ("vmap", "scan", "devices")  # of `train.members`
WORTH = 1.05  # times as fast as separate runs: less is within what timings wander


class Plan(NamedTuple):
  """How the cells of a program are run as members of one."""

  form: str  # of `train.members`
  count: int


class Timing(NamedTuple):
  """What a step of one member takes in each form, timed in turns in one process."""

  count: int  # members of the program
  separate: float  # seconds of a step of a run alone
  seconds: dict[str, float]  # by form

  def speedup(self, form: str) -> float:
    """How many times as fast as separate runs."""
    return self.separate / self.seconds[form]


def size_of(cells: int, most: int, programs: int, workers: int, devices: int) -> int:
  """How many members a program shall have; 1 for cells that run alone.

  Args:
    cells: of this program that are left.
    most: members that the user allows.
    programs: of the sweep.
    workers: that the cells of all programs are divided among.
    devices: of each worker.
  """
  each = -(-cells // max(1, workers // programs))
  count = min(most, each)
  if devices > 1:  # one for each device, or several: places that stay empty cost less than a gather
    whole = -(-count // devices) * devices
    return whole if count > 1 and whole <= most else count
  return -(-each // -(-each // count))  # programs of equal size leave few places empty


def choose(timing: Timing) -> Plan | None:
  """The fastest form, where that is worth it."""
  if not timing.seconds:
    return None
  form = max(timing.seconds, key=timing.speedup)
  return Plan(form, timing.count) if timing.speedup(form) >= WORTH else None


def describe(timing: Timing) -> str:
  """The forms and how they compare with separate runs, in words."""
  if not timing.seconds:
    return "separate runs; no other form is possible"
  forms = ", ".join(f"{form} {timing.speedup(form):.2f}" for form in timing.seconds)
  plan = choose(timing)
  how = f"{plan.count} members by {plan.form}" if plan else "separate runs"
  return f"{how} (times as fast as separate runs, {timing.count} members: {forms})"


def parse(text: str) -> tuple[int, str]:
  """How many members "8" or "8:scan" allows, and the form that it names; "" for none.

  Raises:
    ConfigError: neither.
  """
  number, _, form = text.partition(":")
  if not number.isdecimal() or int(number) < 1 or (form not in FORMS and ":" in text):
    raise ConfigError(
      f"--members={text} must be a number, 8, or a number and a form, 8:scan\n"
      f"Forms: {', '.join(FORMS)}"
    )
  return int(number), form


def read(workdir: Path, asked: str) -> dict[str, Plan | Timing]:
  """By program, what was decided before for the same --members: a named plan, or a timing."""
  known = read_json(workdir / NAME) or {}
  return {
    program: Plan(**row["plan"]) if "plan" in row else Timing(**row["timing"])
    for program, row in known.get(asked, {}).items()
  }


def write(
  workdir: Path, asked: str, decided: Mapping[str, Plan | Timing]
) -> dict[str, Plan | Timing]:
  """Adds what was decided; what is known of the same programs stays. Returns all that is known."""
  with folder.locked(workdir):
    known: dict[str, Any] = read_json(workdir / NAME) or {}
    rows = {
      program: {"plan" if isinstance(one, Plan) else "timing": one._asdict()}
      for program, one in decided.items()
    }
    write_json(workdir / NAME, known | {asked: rows | known.get(asked, {})})
  return read(workdir, asked)
