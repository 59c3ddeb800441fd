"""Processes that take turns: each computes when it is asked, and the others wait.

A process reads a command a line from standard input and answers with a line of JSON, see `workers`.
"""

import contextlib
import json
import math
import queue
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.records import Deadline

PATIENCE = 900  # seconds for an answer, where there is no deadline


class Worker(NamedTuple):
  """A process of `workers`."""

  name: str
  process: subprocess.Popen
  answers: "queue.Queue[str]"
  log: Path


class DeviceFullError(Exception):
  """The nets of all frameworks together do not fit at this batch."""


@contextlib.contextmanager
def worker(
  name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Worker]:
  """A process, ended on leaving; what it says on stderr is kept in `log`."""
  with open(log, "w") as errors:
    process = subprocess.Popen(
      command,
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=errors,
      text=True,
      env=environment,
    )
  answers: queue.Queue[str] = queue.Queue()

  def listen() -> None:
    for line in process.stdout:
      answers.put(line)
    answers.put("")  # it has ended

  threading.Thread(target=listen, daemon=True).start()
  try:
    yield Worker(name, process, answers, log)
  finally:
    with contextlib.suppress(BrokenPipeError):
      process.stdin.close()
    try:
      process.wait(20)
    except subprocess.TimeoutExpired:
      process.kill()
      process.wait()


def ask(worker: Worker, command: str, until: Deadline) -> dict[str, Any]:
  """The worker's answer; {"error": ...} when it has ended, or is silent for long and is ended."""
  patience = min(PATIENCE, max(30.0, until.left()))
  try:
    worker.process.stdin.write(f"{command}\n")
    worker.process.stdin.flush()
    line = worker.answers.get(timeout=patience)
  except BrokenPipeError:
    line = ""
  except queue.Empty:
    worker.process.kill()
    return {"error": f"no answer to {command} in {patience:.0f} s"}
  if line:
    return json.loads(line)
  last = worker.log.read_text(errors="replace").strip().splitlines()[-3:]
  code = worker.process.poll()
  return {"error": f"the process has ended with code {code}: {' | '.join(last)[-400:]}"}


def build(workers: Mapping[str, Worker], mode: str, until: Deadline) -> dict[str, dict[str, Any]]:
  """{framework: its facts}, with "error" where it failed; DeviceFullError when one has no room."""
  facts = {}
  for framework, process in workers.items():
    facts[framework] = ask(process, f"build {mode}", until)
    if facts[framework].get("out_of_memory"):
      raise DeviceFullError
  return facts


def alternate(
  workers: Mapping[str, Worker],
  facts: Mapping[str, dict[str, Any]],
  mode: str,
  steps: Mapping[str, int],
  reps: int,
  until: Deadline,
  rest: float = 0.0,
) -> dict[str, list[dict[str, Any]]]:
  """{framework: its answers}, a turn of every framework in each repetition.

  Args:
    workers: the processes that have built `mode`.
    facts: of each framework; those with an "error" have no turns. One that fails, or whose loss is
      not finite, gets an "error" and leaves.
    mode: train or infer.
    steps: of each framework in a turn.
    reps: repetitions.
    until: when to give up waiting.
    rest: seconds between turns, in which the threads of the last one fall asleep.
  """
  turns = {framework: [] for framework in workers if "error" not in facts[framework]}
  for _ in range(reps):
    for framework in tuple(turns):
      answer = ask(workers[framework], f"go {mode} {steps[framework]}", until)
      loss = answer.get("loss")
      if answer.get("out_of_memory"):
        raise DeviceFullError
      if "error" not in answer and loss is not None and not math.isfinite(loss):
        answer["error"] = f"the loss is {loss}"
      if "error" in answer:
        facts[framework]["error"] = answer["error"]
        del turns[framework]
      else:
        turns[framework].append(answer)
      time.sleep(rest)
  return turns
