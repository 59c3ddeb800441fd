"""Records of `cpu_speed` and `cpu_runs` -> the tables of a page, between its two marks."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cpu_runs import RUNS
from benchmarks.cpu_speed import BATCHES, MODES, OURS, TORCH, other_cpus
from jaxnets import runs
from jaxnets.errors import ConfigError

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
# Speed over the better PyTorch's that is aimed at: ours, and plain JAX where no kernel is.
BARS = {"train": 1.0, "infer": 1.2}
NET_BARS = {("cifar_resnet20", "train"): 1.1}
PLAIN_BAR = 0.5
TITLES = {"train": "Training", "infer": "Inference"}
Table = tuple[Sequence[str], list[Sequence[str]]]


def write(folder: Path, page: Path) -> int:
  """Puts the tables of the records below `folder` into `page`; what is around the marks stays.

  Raises:
    ConfigError: no record, no page, or no marks in it.
  """
  speeds, wholes = read(folder / "speed", BATCHES), read(folder / "runs", RUNS)
  if not speeds and not wholes:
    raise ConfigError(f"{folder} has no records\nMake some: python benchmarks/cpu.py speed")
  text = page.read_text() if page.is_file() else ""
  before, begin, rest = text.partition(BEGIN)
  _, end, after = rest.partition(END)
  if not (begin and end):
    raise ConfigError(f"{page} must be a page with the lines {BEGIN} and {END}")
  profiles = read(folder / "profile", BATCHES)
  parts = [header([*speeds, *wholes]), *sections(speeds), *run_sections(wholes)]
  parts += profile_sections(profiles)
  page.write_text(f"{before}{begin}\n\n{chr(10).join(parts)}\n{end}{after}")
  return 0


def read(folder: Path, names: Iterable[str]) -> list[dict[str, Any]]:
  """The records that are there, in the order of the names."""
  found = (runs.read_json(folder / f"{name}.json") for name in names)
  return [record for record in found if record is not None]


def header(records: list[dict[str, Any]]) -> str:
  """Machine, versions, threads, kernels, dates and commands: every one that there was."""
  machines = _distinct(
    f"{m['cpu']} (family/model {m['family_model']}, {' '.join(m['vectors'])}), {m['cores']} cores, "
    f"{m['memory_bytes'] / 2**30:.0f} GiB, {m['system']}"
    for m in (record["machine"] for record in records)
  )
  versions = _distinct(
    f"{name} {version}" for record in records for name, version in record["versions"].items()
  )
  facts = [f for r in records for m in MODES for f in r.get(m, {}).get("frameworks", {}).values()]
  forms = (*facts, *(r[form] for r in records for form in OURS if form in r))
  taken = [other_cpus(record[mode]) for record in records for mode in MODES if mode in record]
  disturbed = [f"{max(taken):.2f} at most"] if taken else []
  lines = [
    f"- Machine: {'; '.join(machines)}",
    f"- Versions: {', '.join(versions)}",
    f"- Threads: {', '.join(_distinct(str(f['threads']) for f in facts if 'threads' in f))}",
    f"- Kernels: {', '.join(_distinct(f['kernels'] for f in forms if 'kernels' in f))}",
    f"- Cores that other processes kept busy: {', '.join(disturbed)}",
    f"- Dates: {', '.join(sorted({record['date'][:10] for record in records}))}",
    *(f"- Command: `{command}`" for command in _distinct(r["command"] for r in records)),
  ]
  if any(record["small"] for record in records):
    lines.append("- **Made with `--small`: tiny nets, these numbers say nothing.**")
  return "\n".join(line for line in lines if not line.endswith(": ")) + "\n"


def sections(records: list[dict[str, Any]]) -> Iterator[str]:
  """Speed, compile time and memory of the nets."""
  for mode in MODES:
    with_mode = [record for record in records if mode in record]
    if with_mode:
      yield f"### {TITLES[mode]}, ms per step\n"
      yield markdown(*speed_table(with_mode, mode))
  if records:
    yield "### Seconds to compile, with the first step\n"
    yield markdown(*cost_table(records, "compile_seconds", 1.0))
    yield "### Peak memory of the process, MB\n"
    yield markdown(*cost_table(records, "peak_bytes", 1e-6))


def speed_table(records: list[dict[str, Any]], mode: str) -> Table:
  """A row per net: times of all four, and speeds over the better PyTorch's beside the bars."""
  titles = ("net", "batch", "ours", "plain JAX", "PyTorch eager", "PyTorch compiled",
            "ours / better PyTorch", "bar", "plain / better PyTorch", "bar")  # fmt: skip
  rows = []
  for record in records:
    result, net = record[mode], record["net"]
    frameworks = result["frameworks"]
    bars = {"ours": NET_BARS.get((net, mode), BARS[mode]), "plain": PLAIN_BAR}
    cells = [net, str(record["batch"])]
    cells += [cell(frameworks.get(name), "ms_per_step") for name in (*OURS, *TORCH)]
    for own, bar in bars.items():
      ratio = frameworks.get(own, {}).get("ratio", {}).get(result.get("better"))
      if ratio is None:
        cells += ["-", f"{bar}"]
      else:
        met = "met" if ratio["median"] >= bar else "**missed**"
        cells += [quotient(ratio), f"{bar} {met}"]
    rows.append(cells)
  return titles, rows


def cost_table(records: list[dict[str, Any]], key: str, factor: float) -> Table:
  """A row per net: a number of every framework in every mode."""
  modes = [mode for mode in MODES if any(mode in record for record in records)]
  columns = [(mode, name) for mode in modes for name in (*OURS, *TORCH)]
  titles = ["net", *(f"{TITLES[mode].lower()}: {name}" for mode, name in columns)]
  rows = []
  for record in records:
    facts = [record.get(mode, {}).get("frameworks", {}).get(name) for mode, name in columns]
    rows.append([record["net"], *(cell(f, key, factor) for f in facts)])
  return [title.replace("_", " ") for title in titles], rows


def run_sections(records: list[dict[str, Any]]) -> Iterator[str]:
  """Whole runs, a row for each."""
  if not records:
    return
  yield "### Whole runs, seconds from start to end\n"
  titles = ("run", "steps", "ours", "plain JAX", "ours / plain", "images/s ours", "plain",
            "test top-1 ours", "plain")  # fmt: skip
  rows = []
  for record in records:
    ours, plain = (record[form] for form in OURS)
    ratio = ours["ratio"]
    rows.append(
      [
        f"`{record['run_command']}`",
        f"{ours['step']:,}",
        *(cell(form, "wall_seconds") for form in (ours, plain)),
        quotient(ratio),
        *(f"{form['images_per_second']:,.0f}" for form in (ours, plain)),
        *(f"{100 * form['test_top1'][0]:.2f} %" for form in (ours, plain)),
      ]
    )
  yield markdown(titles, rows)


def profile_sections(records: list[dict[str, Any]]) -> Iterator[str]:
  """Where the time of a step goes, a column for each net and mode."""
  if not records:
    return
  yield "### Where the time of a step goes, ms (share)\n"
  columns = [(record, mode) for record in records for mode in MODES]
  found = {
    (record["net"], mode, row["part"]): f"{number(row['ms'])} ({100 * row['share']:.0f} %)"
    for record, mode in columns
    for row in record[mode]
  }
  parts = _distinct(row["part"] for record, mode in columns for row in record[mode])
  titles = ["part", *(f"{record['net']}: {TITLES[mode].lower()}" for record, mode in columns)]
  rows = [
    [part, *(found.get((record["net"], mode, part), "-") for record, mode in columns)]
    for part in parts
  ]
  yield markdown(titles, rows)


def cell(facts: dict[str, Any] | None, key: str, factor: float = 1.0) -> str:
  """A number, or a median with its least and largest; a dash where there is none."""
  if facts is None:
    return "-"
  if "error" in facts or facts.get(key) is None:
    return "failed"
  value = facts[key]
  if not isinstance(value, dict):
    return number(factor * value)
  low, high = (number(factor * value[k]) for k in ("min", "max"))
  return f"{number(factor * value['median'])} ({low} to {high})"


def quotient(ratio: dict[str, float]) -> str:
  """A median ratio with its least and largest."""
  return f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"


def number(value: float) -> str:
  """Three digits or more."""
  digits = 0 if value >= 100 else 1 if value >= 10 else 2
  return f"{value:,.{digits}f}"


def markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
  """A table; all columns but the first stand to the right."""
  rule = ["---", *["---:"] * (len(titles) - 1)]
  return "".join(f"| {' | '.join(row)} |\n" for row in (titles, rule, *rows))


def _distinct(words: Iterable[str]) -> list[str]:
  return list(dict.fromkeys(words))
