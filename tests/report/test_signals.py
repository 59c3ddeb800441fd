"""Probes and pictures of a sweep: numbers that were planted, figures that can be read."""

import csv
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib import style as styles

from jaxnets import runs
from jaxnets.cli import main
from jaxnets.report import content, figures, numbers, read, signals
from jaxnets.report.figures import pictures, profiles, saving, style
from jaxnets.report.figures import signals as heat
from jaxnets.sweep import aggregate
from tests.report.folders import write_pictures, write_probes, write_sweep
from tests.report.test_figures import covered, drawn

DEPTHS = (20, 56)
STEPS = (1, 20, 40)
OWN = ("gradients", "updates", "layers", "filters", "maps")


def layers(depth: int) -> list[str]:
  units = range(1, (depth - 2) // 6 + 1)
  inner = [f"stage{s}/unit{u}/conv{c}" for s in (1, 2, 3) for u in units for c in (1, 2)]
  return ["stem", *inner, "maps", "head"]


def planted(measure: str, place: int, step: int, seed: int) -> float:
  """Gradients that fall tenfold every ten layers, weights of 2 that move by a thousandth."""
  if measure == "update_norm":
    return 0.002
  if measure == "weight_norm":
    return 2.0
  if measure == "gradient_norm":
    return 10 ** (-place / 10) * step
  return (0.1 + 0.5 * seed) * (1 + 0.3 * (place % 2)) / math.sqrt(step)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Path:
  made = write_sweep(
    tmp_path_factory.mktemp("probed") / "s",
    {"net.depth": DEPTHS, "net.shortcut": ["none", "A"]}, [0, 1],
    lambda s, seed: 0.8 + 0.001 * s["net.depth"] + 0.001 * seed, points=4,
  )  # fmt: skip
  for folder in made.glob("depth=*"):
    depth, seed = (
      int(folder.name.split(f"{name}=")[1][:2].strip(",-")) for name in ("depth", "seed")
    )
    write_probes(folder, layers(depth), STEPS, lambda m, p, s, seed=seed: planted(m, p, s, seed))
    write_pictures(folder, 16, cam="shortcut=A" in folder.name)
  return made


@pytest.fixture(scope="module")
def gathered(sweep):
  source = read([sweep])
  return content.gather(source, aggregate.group(source.runs), "test_top1")


def test_a_trace_is_the_rows_of_its_run_without_those_of_norms(gathered):
  assert [len(own) for own in gathered.traces] == [2, 2, 2, 2]
  one = gathered.traces[0][1]
  assert (signals.named(one), one.steps) == ("seed 1", [1, 20, 40])
  assert one.layers == layers(20)
  assert one.values["gradient_norm"][10, 1] == pytest.approx(20 * 0.1)
  assert signals.learned(one) == [*range(19), 20]  # all but "maps"
  np.testing.assert_allclose(signals.update_ratio(one)[3], 0.001)
  assert np.isnan(signals.update_ratio(one)[19]).all()


def test_a_profile_is_the_mean_and_the_range_over_seeds_of_layers_with_an_activation(gathered):
  measure = next(one for one in signals.MEASURES if one.name == "zero_share")
  found = signals.profile(gathered.traces[0], measure, last=False)
  assert found.places == list(range(1, 20))
  np.testing.assert_allclose(found.mean[:2], [0.35, 0.35 * 1.3])
  np.testing.assert_allclose(found.low[:2], [0.1, 0.13])
  np.testing.assert_allclose(found.high[:2], [0.6, 0.78])
  last = signals.profile(gathered.traces[0], measure, last=True)
  np.testing.assert_allclose(last.mean, found.mean / math.sqrt(40))
  gradient = signals.profile(gathered.traces[0], signals.MEASURES[0], last=False)
  assert gradient.places == list(range(1, 21))  # the head has one too


def test_heat_maps_show_the_logarithms_that_were_planted(gathered):
  figure = heat.draw_gradients(gathered, style.WIDE)
  *panels, bar = figure.axes
  assert len(panels) == 4
  assert bar.get_xlabel() == "log10 of gradient norm"
  (image,) = panels[0].get_images()
  places = np.array(signals.learned(gathered.traces[0][0]))
  wanted = -places[:, None] / 10 + np.log10(STEPS)
  np.testing.assert_allclose(image.get_array(), wanted, atol=1e-6)
  assert [tick.get_text() for tick in panels[2].get_yticklabels()] == [
    "stem", "stage2", "stage3", "head"
  ]  # fmt: skip
  (updates,) = heat.draw_updates(gathered, style.WIDE).axes[0].get_images()
  np.testing.assert_allclose(updates.get_array(), -3, atol=1e-6)


def test_captions_name_the_runs_and_the_steps(gathered):
  assert "the first that was probed: seed 0." in heat.say_gradients(gathered)
  assert "first probed step (1), solid at the last (40)" in profiles.say(gathered)
  assert "seeds (0 and 1)" in profiles.say(gathered)
  assert "before step 60" in pictures.say_maps(gathered)


def test_filters_are_laid_anew_without_losing_one():
  count = 70
  numbered = np.arange(72).reshape(9, 8) / 72
  laid = np.repeat(np.repeat(numbered, 5, 0), 5, 1)[..., None]
  arrays = {"filters_shape": np.array([5, 5, 8, count]), "filters_last": laid}
  pixels = pictures.grid(arrays, "last")
  assert pixels.shape == (8 * 6 + 1, 8 * 6 + 1, 3)
  np.testing.assert_allclose(pixels[3::6, 3::6, 0].ravel(), np.arange(64) / 72)
  np.testing.assert_allclose(pixels[0], np.tile(pictures.BETWEEN, (49, 1)))


def test_a_map_is_as_wide_as_its_image_and_linear_between_its_places():
  found = pictures.resized(np.array([[0.0, 3.0], [1.0, 5.0]]), 8)
  np.testing.assert_allclose(found[:, 0], [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1])
  np.testing.assert_allclose(found[:, 1], 3 + 2 * found[:, 0])
  np.testing.assert_allclose(pictures.resized(np.ones((1, 3)), 4), np.ones((4, 3)))
  # All of an image at the ends of a map has the colours of these ends over it.
  image = np.zeros((4, 4, 3), np.float32)
  pixels = pictures.overlaid(image, np.array([[0.0, 1.0]]), "gray")
  assert pixels.shape == (64, 64, 3)
  base = 0.3 * (1 - pictures.SEEN)
  np.testing.assert_allclose(pixels[:, [0, -1], 0], np.tile([base, base + pictures.SEEN], (64, 1)))


@pytest.mark.parametrize("kind", [one for one in figures.KINDS if one.name in OWN])
def test_letters_are_large_enough_inside_the_figure_and_apart(kind, gathered):
  for page in style.PAGES:
    with styles.context(["default", style.settings(page, kind.name)]):
      figure = figures.lay_out(kind, gathered, page)
      figure.set_dpi(page.dots)
      figure.draw_without_rendering()
      boxes = {one: one.get_window_extent() for one in drawn(figure)}
      assert len(boxes) > 5
      for one, box in boxes.items():
        said = (page.suffix, one.get_text())
        assert one.get_fontsize() >= 6.5, said
        inside = (box.x0, box.y0, figure.bbox.x1 - box.x1, figure.bbox.y1 - box.y1)
        assert min(inside) >= 0, said
      for one, other in itertools.combinations(boxes, 2):
        if one.get_rotation() == other.get_rotation():
          said = (page.suffix, one.get_text(), other.get_text())
          assert not covered(boxes[one], boxes[other]), said


def test_the_report_has_figures_and_rows_of_probes_the_same_twice(sweep, tmp_path, monkeypatch):
  monkeypatch.setattr(saving, "FORMS", ("svg",))
  monkeypatch.setattr(style, "PAGES", (style.WIDE,))
  monkeypatch.setattr(figures, "KINDS", [one for one in figures.KINDS if one.name in OWN])
  monkeypatch.setattr(pictures, "MAPS", 1)
  for name in "ab":
    assert main(["launch.py", "report", str(sweep), f"--out={tmp_path / name}"]) == 0
  first, second = (
    {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")}
    for name in "ab"
  )
  assert first == second
  page = (tmp_path / "a" / "index.html").read_text()
  for name in OWN:
    assert (tmp_path / "a" / "figures" / f"{name}.svg").exists()
    assert f'<section id="{name}">' in page
  assert page.count('href="data/probes.csv"') == 4  # three figures and the list of files
  with open(tmp_path / "a" / "data" / "probes.csv") as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == 2 * 2 * len(STEPS) * sum(len(layers(depth)) + 1 for depth in DEPTHS)
  one = next(
    r for r in rows if (r["layer"], r["step"], r["seed"]) == ("stage1/unit1/conv1", "20", "1")
  )
  assert one["place"] == "2"
  assert float(one["gradient_norm"]) == pytest.approx(planted("gradient_norm", 1, 20, 1))


def test_too_many_rows_are_thinned_between_the_first_and_the_last_step(gathered, monkeypatch):
  monkeypatch.setattr(numbers, "MOST_PROBES", 1)
  rows = numbers.probe_rows(gathered)
  assert {row["step"] for row in rows} == {1, 40}


def test_old_probes_and_missing_pictures_draw_what_they_have(tmp_path):
  made = write_sweep(tmp_path / "s", {"net.depth": [20, 56]}, [0], lambda s, seed: 0.8)
  (folder,) = made.glob("depth=20,*")
  rows = [
    {"step": 1, "layer": layer, "gradient_norm": 1.0, "zero_share": 0.5} for layer in layers(20)
  ]
  runs.append_metrics(folder, *rows, file=runs.PROBES)
  source = read([made])
  found = content.gather(source, aggregate.group(source.runs), "test_top1")
  names = {one.name for one in figures.KINDS if one.draw(found, style.WIDE) is not None}
  assert names & set(OWN) == {"gradients", "layers"}
  titles = [panel.get_title(loc="left") for panel in profiles.draw(found, style.WIDE).axes]
  assert titles == ["gradient by weights", "zeros, %"]
