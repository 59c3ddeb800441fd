"""Numbers as the report writes them: percent, points, intervals, p, counts, times."""

from jaxnets.sweep import aggregate
from jaxnets.sweep.keys import NOTHING
from jaxnets.sweep.statistics import Difference

DAGGER = "†"
MINUS = "\u2212"
NAMES = {"top1": "top-1 accuracy", "top5": "top-5 accuracy"}


def metric_name(metric: str) -> str:
  """ "test top-1 accuracy" of "test_top1"."""
  split, _, kind = metric.rpartition("_")
  return f"{split.replace('_', ' ')} {NAMES.get(kind, kind.replace('_', ' '))}".strip()


def error_name(metric: str) -> str:
  """ "test top-1 error" of "test_top1"; what is no accuracy keeps its name."""
  return metric_name(metric).replace("accuracy", "error")


def improves(metric: str) -> int:
  """1 where more is better, -1 where less is, 0 where nobody knows."""
  return 1 if aggregate.is_share(metric) else -1 if metric.endswith("loss") else 0


def number(value: float | None, share: bool, digits: int = 2) -> str:
  """A value of the metric, in percent where it is a share; no unit behind it."""
  if value is None:
    return NOTHING
  text = f"{100 * value:.{digits}f}" if share else f"{value:.4g}"
  return text.replace("-", MINUS)


def level(value: float | None, share: bool) -> str:
  """A value of the metric with its unit."""
  return number(value, share) + (" %" if share and value is not None else "")


def signed(value: float | None, share: bool) -> str:
  """A difference, with its sign: "+1.20", in points where the metric is a share."""
  text = number(value, share)
  return text if value is None or text.startswith(MINUS) else f"+{text}"


def change(value: float | None, share: bool) -> str:
  """A difference with its unit: "+1.20 points"."""
  return signed(value, share) + (" points" if share and value is not None else "")


def interval(low: float | None, high: float | None, share: bool) -> str:
  """ "1.10 to 1.30"; nothing where there is none."""
  if low is None or high is None:
    return NOTHING
  return f"{number(low, share)} to {number(high, share)}"


def signed_interval(difference: Difference, share: bool) -> str:
  """ "−0.10 to +1.30": the interval of a difference."""
  if difference.low is None or difference.high is None:
    return NOTHING
  return f"{signed(difference.low, share)} to {signed(difference.high, share)}"


def probability(p: float | None) -> str:
  """ "0.012", "< 0.001"."""
  if p is None:
    return NOTHING
  return "< 0.001" if p < 0.001 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def equals(p: float | None) -> str:
  """ "p = 0.012", "p < 0.001"."""
  text = probability(p)
  return f"p {text}" if text.startswith("<") else f"p = {text}"


def amount(value: float | None) -> str:
  """ "685 k", "6.51 M", "3.86 G": three digits and the power of a thousand."""
  if value is None:
    return NOTHING
  for unit in ("", " k", " M", " G", " T"):
    if abs(value) < 999.5 or unit == " T":
      return f"{value:.0f}{unit}" if not unit or abs(value) >= 100 else f"{value:.3g}{unit}"
    value /= 1000
  raise AssertionError("unreachable")


def rate(value: float | None) -> str:
  """ "4,720", "32.1": three digits, as more do not repeat."""
  if value is None:
    return NOTHING
  return f"{float(f'{value:.3g}'):,.0f}" if value >= 99.95 else f"{value:.3g}"


def short_time(seconds: float) -> str:
  """ "250 µs", "1.5 ms", "2 s"."""
  unit, size = next((one for one in (("s", 1.0), ("ms", 1e-3)) if seconds >= one[1]), ("µs", 1e-6))
  return f"{seconds / size:.3g} {unit}"


def duration(seconds: float | None) -> str:
  """ "41 s", "12 min 5 s", "3 h 20 min"."""
  if seconds is None:
    return NOTHING
  minutes, rest = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  if hours:
    return f"{hours} h {minutes} min"
  return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def shortened(text: str, most: int) -> str:
  """The text with its middle left out where it is longer than `most` characters."""
  text = " ".join(text.split())
  if len(text) <= most:
    return text
  head = (most - 1) * 2 // 3
  return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def listed(parts: list[str]) -> str:
  """ "a", "a and b", "a, b and c"."""
  return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def counted(n: int, noun: str, plural: str = "") -> str:
  """ "1 run", "3 runs"."""
  return f"{n} {noun if n == 1 else plural or noun + 's'}"
