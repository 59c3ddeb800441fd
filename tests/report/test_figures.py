"""Figures as they are laid out: their size, and letters that can be read."""

import itertools
import math

import pytest
from matplotlib import style as styles
from matplotlib.text import Text

from jaxnets.report import content, figures, read
from jaxnets.report.figures import contrast, pareto, style
from jaxnets.sweep import aggregate
from tests.report.folders import SPEED, write_sweep

NAMES = ("leaky_relu", "a_name_of_many_letters", "relu")
# Axes of a sweep, and which of its cells are left out.
SWEEPS = {
  "two axes": ({"net.depth": [8, 14, 20, 26, 32, 110], "net.shortcut": ["none", "A"]}, None),
  "three axes": ({"net.depth": [14, 20], "net.activation": NAMES, "optim.lr": [0.1, 0.2]}, None),
  "many axes": (
    {"net.depth": [14, 20], "net.width": [0.5, 1.0], "net.shortcut": ["none", "A"],
     "optim.lr": [0.1, 0.2], "optim.label_smoothing": [0.0, 0.1]},
    lambda s: s["net.depth"] == 20 and s["net.width"] == 1.0,
  ),
  "many names": ({"net.activation": [f"a_name_of_many_letters_{i}_more" for i in range(25)]}, None),
  "two numbers": (
    {"optim.lr": [2.0**-i for i in range(9)], "optim.weight_decay": [0.0, 0.00125]},
    lambda s: s["optim.lr"] > 0.5 and s["optim.weight_decay"] > 0,
  ),
}  # fmt: skip


def gathered(workdir, sweep: str):
  given, left_out = SWEEPS[sweep]
  write_sweep(
    workdir, given, [0, 1],
    lambda s, seed: 0.8 + 0.001 * s.get("net.depth", 0) + 0.001 * seed * (1 + len(repr(s)) % 5),
    where=lambda s: not (left_out and left_out(s)), points=4,
  )  # fmt: skip
  source = read([workdir])
  return content.gather(source, aggregate.group(source.runs), "test_top1")


def drawn(figure) -> list[Text]:
  """The letters that are seen: not those of ticks beyond the ends of an axis."""
  beyond = set()
  for panel in figure.axes:
    for axis in (panel.xaxis, panel.yaxis):
      low, high = sorted(axis.get_view_interval())
      beyond |= {t.label1 for t in axis.get_major_ticks() if not low <= t.get_loc() <= high}
  found = figure.findobj(lambda one: isinstance(one, Text) and one.get_visible())
  return [one for one in found if one.get_text().strip() and one not in beyond]


@pytest.mark.parametrize("sweep", SWEEPS)
def test_letters_are_large_enough_inside_the_figure_and_apart(sweep, tmp_path):
  found = gathered(tmp_path / "s", sweep)
  names = []
  for page, kind in itertools.product(style.PAGES, figures.KINDS):
    with styles.context(["default", style.settings(page, kind.name)]):
      figure = figures.lay_out(kind, found, page)
      if figure is None:
        continue
      names.append(kind.name + page.suffix)
      check_letters(figure, page, names[-1])
  assert {"curves", "curves_85mm", "sweep", "sweep_85mm"} <= set(names)


def test_measured_cost_is_the_time_of_an_image_and_nothing_cheaper_beats_the_frontier(tmp_path):
  def accuracy(setting, seed):
    return 0.7 if setting["net.depth"] == 14 else 0.8 + 0.001 * setting["net.depth"] + 0.01 * seed

  write_sweep(tmp_path / "s", {"net.depth": [8, 14, 20]}, [0, 1], accuracy)
  (slow,) = (tmp_path / "s").glob("depth=20,seed=1-*/metrics.jsonl")
  slow.write_text(slow.read_text().replace('"images_per_second": 2', '"images_per_second": 1'))
  source = read([tmp_path / "s"])
  found = content.gather(source, aggregate.group(source.runs), "test_top1")
  points = pareto.by_times(found)
  assert [one.cost for one in points[:2]] == pytest.approx([8 / SPEED, 14 / SPEED])
  assert (points[2].least, points[2].most) == pytest.approx((20 / SPEED, 1 / 110))
  assert points[2].cost == pytest.approx(2 / (SPEED / 20 + 110))
  best = pareto.frontier([(one.cost, one.mean) for one in points], 1)
  assert best == [(points[0].cost, points[0].mean), (points[2].cost, points[2].mean)]


LONG = "one 5x5, equal parameters"


@pytest.mark.parametrize(
  ("values", "logarithmic", "ticks"),
  [
    ((2.0, 2.5), False, None),
    ((0.97, 1.08), True, None),
    ((2e6, 9e7), True, {"2 M", "10 M", "50 M"}),
    ((1_234_567, 1_234_571), True, None),
  ],
)
def test_the_letters_of_a_claims_figure_too_and_no_two_ticks_are_alike(values, logarithmic, ticks):
  own = [math.log(v) if logarithmic else v for v in values]
  name = "test error beyond that of the same net on its training images, %"
  arms = {"plain": own, LONG: own, f"{LONG}, no shortcuts and no norm": own}
  strip = contrast.Strip(name, arms, range(3), logarithmic)
  forest = contrast.Forest("times", [contrast.Interval("1", 0.1, 0.0, 0.2, 0.0)], logarithmic=True)
  for page in style.PAGES:
    with styles.context(["default", style.settings(page, "claim")]):
      figure = contrast.draw([strip, strip], [forest], page)
      check_letters(figure, page, page.suffix)
    panel = figure.axes[0]
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names[1].replace("\n", " ") == LONG
    assert "…" in names[2]
    said = [one.get_text() for one in drawn(figure) if one in set(panel.get_xticklabels())]
    assert len(set(said)) == len(said) > 0
    assert ticks is None or ticks & set(said)


def check_letters(figure, page, where):
  """Letters are large enough, inside the figure, and apart."""
  figure.set_dpi(page.dots)
  figure.draw_without_rendering()
  frame, texts = figure.bbox, drawn(figure)
  assert len(texts) > 5
  boxes = {one: one.get_window_extent() for one in texts}
  for one, box in boxes.items():
    said = (where, one.get_text())
    assert one.get_fontsize() >= 6.5, said
    assert min(box.x0, box.y0, frame.x1 - box.x1, frame.y1 - box.y1) >= 0, said
  for one, other in itertools.combinations(texts, 2):
    if one.get_rotation() % 90 == 0 == other.get_rotation() % 90:
      said = (where, one.get_text(), other.get_text())
      assert not covered(boxes[one], boxes[other]), said


def covered(one, other) -> bool:
  """Whether two boxes have more in common than their margins."""
  wide = min(one.x1, other.x1) - max(one.x0, other.x0)
  high = min(one.y1, other.y1) - max(one.y0, other.y0)
  return wide > 0.02 * one.height and high > 0.3 * min(one.height, other.height)
