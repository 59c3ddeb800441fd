"""Learning curves over training-set size, and what a report says of hand-made pipelines."""

import itertools

import numpy as np
import pytest
from matplotlib import style as styles
from scipy import stats

from jaxnets.cli import main
from jaxnets.report import content, figures, page, read
from jaxnets.report.figures import saving, sizes, style
from jaxnets.sweep import aggregate
from tests.report.folders import write_sweep
from tests.report.pipelines import ALL, write_pipelines
from tests.report.test_figures import covered, drawn

SIZES = (100, 1000, 0)


def accuracy(features: str, size: int, seed: int) -> float:
  return 0.3 + 0.02 * len(features) + 0.1 * SIZES.index(size) + 0.01 * seed * seed


def gathered(*paths, mixed=False):
  source = read(paths)
  return content.gather(source, aggregate.group(source.runs), "test_top1", mixed=mixed)


def figure_of(found, width=style.WIDE):
  kind = next(kind for kind in figures.KINDS if kind.name == "sizes")
  with styles.context(["default", style.settings(width, kind.name)]):
    return figures.lay_out(kind, found, width)


def curves_of(figure) -> list:
  """The lines with marks: (x, y) of each; those without are intervals."""
  lines = [line for panel in figure.axes for line in panel.get_lines()]
  marked = [line for line in lines if line.get_marker() not in ("None", "", None)]
  return [np.asarray(line.get_xydata()) for line in marked]


@pytest.fixture
def folder(tmp_path):
  return write_pipelines(tmp_path / "p", ["hog", "raw"], ["svm"], SIZES, range(3), accuracy)


def test_a_line_joins_the_means_of_a_pipeline_at_its_true_sizes_on_a_logarithmic_axis(folder):
  figure = figure_of(gathered(folder))
  assert figure
  assert [panel.get_xscale() for panel in figure.axes] == ["log"]
  for found in curves_of(figure):
    means = [np.mean([100 * accuracy("hog", n, seed) for seed in range(3)]) for n in SIZES]
    assert found == pytest.approx(np.array([[100, means[0]], [1000, means[1]], [ALL, means[2]]]))
  assert len(curves_of(figure)) == 2


def test_bars_are_t_intervals_over_seeds(folder):
  figure = figure_of(gathered(folder))
  assert figure
  (panel,) = figure.axes
  bars = [line.get_ydata() for line in panel.get_lines() if line.get_marker() in ("None", "")]
  values = [100 * accuracy("hog", 100, seed) for seed in range(3)]
  low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
  assert np.asarray(bars[0]) == pytest.approx([low, high])
  assert len(bars) == 6


def test_one_size_is_no_curve(tmp_path):
  write_pipelines(tmp_path, ["hog", "raw"], ["svm"], [1000], range(2), accuracy)
  assert figure_of(gathered(tmp_path)) is None


def test_a_net_stands_at_all_training_images_where_a_pipeline_tells_their_number(folder, tmp_path):
  nets = write_sweep(
    tmp_path / "nets", {"net.depth": [14]}, [0, 1], lambda setting, seed: 0.9, points=1
  )  # fmt: skip
  found = gathered(folder, nets, mixed=True)
  *_, net = sizes.lines(found)
  assert (net.name, net.sizes) == ("cifar_resnet20", [ALL])
  of_nets, of_pipelines = (
    note for note in found.notes if "rain accuracy" in note or "hand" in note
  )
  assert of_nets == content.TRAINED
  assert of_pipelines.startswith("That of hand-made features is of the fitted classifier")


def test_letters_of_many_lines_are_apart(tmp_path):
  features = ["hog", "raw", "lbp", "colour", "hog+lbp+colour"]
  write_pipelines(tmp_path, features, ["svm", "logreg"], SIZES, range(2), accuracy)
  for width in style.PAGES:
    figure = figure_of(gathered(tmp_path), width)
    assert figure
    assert len(curves_of(figure)) == 10
    boxes = {one.get_text(): one.get_window_extent() for one in drawn(figure) if one.get_text()}
    for (one, a), (other, b) in itertools.combinations(boxes.items(), 2):
      assert not covered(a, b), (one, other)


def test_fields_of_parts_that_a_pipeline_does_not_have_tell_no_groups_apart(tmp_path):
  write_pipelines(tmp_path, ["hog"], ["svm"], SIZES, [0], accuracy, svm__c=0.01)
  write_pipelines(tmp_path, ["hog"], ["logreg"], SIZES, [0], accuracy, logreg__c=0.1)
  groups = aggregate.group(aggregate.read([tmp_path]))
  assert [tuple(one.axes.values()) for one in groups] == [
    (name, size) for name in ("svm", "logreg") for size in (100, 1000, ALL)
  ]
  assert set(groups[0].axes) == {"pipeline.classifier", "pipeline.images"}


def test_a_field_that_pipelines_differ_in_is_a_dash_for_those_without_it(tmp_path):
  for strength in (0.01, 0.1):
    write_pipelines(tmp_path, ["hog"], ["svm"], [0], [0], accuracy, svm__c=strength)
  write_pipelines(tmp_path, ["hog"], ["logreg"], [0], [0], accuracy)
  groups = aggregate.group(aggregate.read([tmp_path]))
  assert [one.axes["svm.c"] for one in groups] == [[0.01], [0.1], None]


def test_the_page_says_what_train_accuracy_is_of(folder, tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(saving, "FORMS", ("svg",))
  monkeypatch.setattr(style, "PAGES", (style.WIDE,))
  assert main(["launch.py", "report", str(folder), f"--out={tmp_path / 'out'}"]) == 0
  capsys.readouterr()
  text = (tmp_path / "out" / "index.html").read_text()
  assert "on training images as they are: the first 10,000 or all of them." in text
  assert "last tenth" not in text
  assert "Learning curves over training-set size" in text
  assert "scikit-learn" in text
  assert ">jax<" not in text


def test_each_command_that_added_pipelines_to_a_folder_is_told_once(folder):
  assert page.commands(gathered(folder)) == [
    "python launch.py classical --features=hog", "python launch.py classical --features=raw"
  ]  # fmt: skip
