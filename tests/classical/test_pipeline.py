"""Pipelines as a whole: which images they see, what they choose, that they give the same bits."""

import itertools

import numpy as np
import pytest

from jaxnets import config as configuration
from jaxnets.classical import classifiers, config, features, images, patches, pipeline
from jaxnets.classical.memo import Memo
from jaxnets.data.subset import subset
from jaxnets.errors import ConfigError

SMALL = {"data.image_size": 16, "pipeline.images": 150, "hog.cell": 4, "kmeans.centroids": 8,
         "kmeans.sample": 2000, "sift.words": 10, "sift.sample": 2000, "sift.bin": 2,
         "forest.trees": 10}  # fmt: skip
TIMES = ("seconds_to_fit", "seconds_to_choose", "seconds_of_features_per_image",
         "seconds_to_predict_per_image", "tried")  # fmt: skip


def small(**values):
  return config.changed(SMALL | {key.replace("_", ".", 1): v for key, v in values.items()})


def result(about, *, load=images.load, before_test=lambda: None, memo=None):
  reader = pipeline.Reader(about, None, memo or Memo(), load=load)
  return pipeline.run(reader, before_test)


def spoiled(split):
  """`images.load`, but one role has noise for images and for labels."""

  def load(about, role, data_dir):
    source = images.load(about, role, data_dir)
    if role != split or source.images is None:
      return source
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, source.images.shape, dtype=np.uint8)
    return source._replace(images=noise, labels=rng.permutation(source.labels))

  return load


def test_a_pipeline_reads_the_images_that_a_net_reads():
  from jaxnets.train.experiment import load

  net = configuration.changed(configuration.base("mlp"), {"data.validation": 0.3, "train.steps": 1})
  own = config.changed({"data.validation": 0.3})
  for split in ("train", "validation", "test"):
    mine, theirs = images.load(own, split, None), load(net, split, None)
    np.testing.assert_array_equal(mine.images, theirs.images)
    np.testing.assert_array_equal(mine.labels, theirs.labels)


def test_subsets_are_nested_balanced_and_chosen_by_the_seed():
  labels = images.load(config.changed({}), "train", None).labels
  chosen = [subset(labels, size, 0) for size in (10, 95, 500, len(labels))]
  for smaller, larger in itertools.pairwise(chosen):
    assert set(smaller) < set(larger)
  for rows in chosen[:3]:
    counts = np.bincount(labels[rows], minlength=10)
    assert counts.max() - counts.min() <= 1
  assert set(chosen[1]) != set(subset(labels, 95, 1))
  with pytest.raises(ConfigError, match=r"pipeline.images \(=5000\) must be at most 1167"):
    subset(labels, 5000, 0, "pipeline.images")


def test_photos_of_all_sizes_are_cut_at_the_centre(tmp_path):
  from PIL import Image

  for name, shape in (("a", (40, 60)), ("b", (60, 40))):
    (tmp_path / "train" / name).mkdir(parents=True)
    for i in range(6):
      photo = np.full((*shape, 3), 250, np.uint8)
      photo[shape[0] // 2 - 20 : shape[0] // 2 + 20, shape[1] // 2 - 20 : shape[1] // 2 + 20] = i
      Image.fromarray(photo).save(tmp_path / "train" / name / f"{i}.png")
  about = small(data_name=f"folder:{tmp_path}", pipeline_images=4)
  found, labels = pipeline.gather(pipeline.Reader(about, None, Memo()), "train")
  assert found.shape == (4, 16, 16, 3)
  assert np.bincount(labels).tolist() == [2, 2]
  assert found[:, 1:-1, 1:-1].max() < 6  # nothing of the rim but what blurs in


def test_nothing_is_learned_or_chosen_from_the_test_images():
  about = small(pipeline_features="hog+kmeans+sift", pipeline_classifier="logreg")
  clean, noisy = result(about), result(about, load=spoiled("test"))
  assert noisy["strength"] == clean["strength"]
  for name in ("train_top1", "validation_top1"):
    assert noisy["metrics"][name] == clean["metrics"][name]
  assert clean["metrics"]["test_top1"] > 0.8 > 0.3 > noisy["metrics"]["test_top1"]


def test_keypoints_whose_number_depends_on_the_image_have_no_multiply_adds():
  about = small(pipeline_features="hog+sift", sift_detector="keypoints", pipeline_images=60)
  found = result(about)
  assert not {"macs", "feature_macs"} & set(found)
  assert found["features"] == 36 * 9 + 2 * 2 * 10
  assert found["metrics"]["test_top1"] > 0.5


def test_validation_images_choose_and_teach_nothing():
  about = small(pipeline_features="raw+kmeans", svm_c=0.01)
  clean, noisy = result(about), result(about, load=spoiled("validation"))
  for name in ("train_top1", "test_top1"):
    assert noisy["metrics"][name] == clean["metrics"][name]
  assert noisy["metrics"]["validation_top1"] < 0.3


def test_the_test_images_are_read_once_when_all_is_chosen():
  asked = []

  def load(about, split, data_dir):
    asked.append(split)
    return images.load(about, split, data_dir)

  result(small(), load=load, before_test=lambda: asked.append("note"))
  assert asked == ["train", "validation", "note", "test"]


def test_the_strength_that_is_best_on_validation_is_tested():
  found = result(small(pipeline_classifier="tree", tree_depth=(1, 8, 2)))
  scores = [trial["validation_top1"] for trial in found["tried"]]
  best = found["tried"][int(np.argmax(scores))]
  assert found["strength"] == {"tree.depth": best["tree.depth"]} == {"tree.depth": 8}
  assert found["metrics"]["validation_top1"] == max(scores) > min(scores)


@pytest.mark.parametrize("classifier", config.GRIDS)
def test_the_same_seed_gives_the_same_bits(classifier):
  about = small(pipeline_features="kmeans+sift", pipeline_classifier=classifier, seed=3)
  first, second = (
    {name: value for name, value in result(about).items() if name not in TIMES} for _ in range(2)
  )
  assert first == second
  assert first["metrics"]["test_top1"] > (0.35 if classifier == "tree" else 0.7)


def test_training_accuracy_is_of_as_many_images_as_it_says(monkeypatch):
  monkeypatch.setattr(pipeline, "_SCORED", 40)
  about = small(pipeline_classifier="tree", tree_depth=20)
  found = result(about)
  assert (found["images"], found["metrics"]["train_count"]) == (150, 40)
  assert found["metrics"]["train_top1"] == 1  # a tree knows its images by heart


def test_another_seed_gives_other_patches_and_another_dictionary():
  photos = images.pixels(images.load(small(), "train", None), 16)
  one, other = (patches.sample(photos, small().kmeans, seed) for seed in (0, 1))
  assert (one != other).any(axis=1).mean() > 0.9
  one, other = (features.fit("kmeans", photos, small(seed=seed)).centroids for seed in (0, 1))
  assert np.abs(one - other).max() > 0.01


def test_a_concatenation_stands_side_by_side():
  memo = Memo()
  parts = [
    pipeline.read(pipeline.Reader(small(pipeline_features=name), None, memo), "validation", {})
    for name in ("hog+lbp", "hog", "lbp")
  ]
  np.testing.assert_array_equal(
    parts[0].vectors, np.concatenate([part.vectors for part in parts[1:]], axis=1)
  )


def test_vectors_are_standardised_by_the_training_images():
  vectors = np.array([[1.0, 5, 0], [3, 5, 4]], np.float32)
  standard = classifiers.standard_of(vectors)
  np.testing.assert_allclose(
    classifiers.standardised(np.array([[5, 6, 2]], np.float32), standard), [[3, 1, 0]]
  )


def test_classifiers_of_one_feature_share_its_vectors(monkeypatch):
  described = []
  own = features.describe
  monkeypatch.setattr(
    features, "describe", lambda part, *rest: described.append(part) or own(part, *rest)
  )
  memo = Memo()
  for classifier in ("svm", "tree"):
    result(small(pipeline_features="lbp", pipeline_classifier=classifier), memo=memo)
  assert described == ["lbp"] * 3  # train, validation, test
  result(small(pipeline_features="lbp", seed=1), memo=memo)
  assert described == ["lbp"] * 4  # another subset, the same validation and test images


def test_seeds_share_vectors_that_depend_on_no_seed(monkeypatch):
  described, own = [], features.describe
  monkeypatch.setattr(
    features, "describe", lambda part, *rest: described.append(part) or own(part, *rest)
  )
  memo, one = Memo(), {"pipeline_features": "raw+kmeans", "pipeline_classifier": "tree"}
  for seed in (0, 1):
    result(small(**one, pipeline_images=0, seed=seed), memo=memo)
  assert sorted(described) == ["kmeans"] * 6 + ["raw"] * 3


@pytest.mark.parametrize("classifier", ["logreg", "svm", "rbf", "tree"])
def test_seeds_share_a_classifier_for_which_nothing_is_drawn(classifier, monkeypatch):
  fitted = []
  own = classifiers.fit
  monkeypatch.setattr(
    classifiers, "fit", lambda *given: fitted.append(given[0].seed) or own(*given)
  )
  memo, one = Memo(), {"pipeline_features": "raw", "pipeline_classifier": classifier}
  shared = [result(small(**one, pipeline_images=0, seed=seed), memo=memo) for seed in (0, 1)]
  assert set(fitted) == ({0, 1} if classifier == "tree" else {0})
  alone = result(small(**one, pipeline_images=0, seed=1))
  assert alone["metrics"] == shared[1]["metrics"]
  assert [one.get("of_seed") for one in (*shared, alone)] == (
    [None] * 3 if classifier == "tree" else [0, 0, 1]
  )
  result(small(**one, pipeline_images=200, seed=1), memo=memo)
  assert fitted[-1] == 1  # the subset is drawn


@pytest.mark.parametrize(("validation", "drawn"), [(0.9, True), (0.7, False)])
def test_a_linear_svm_of_fewer_images_than_features_is_of_its_own_seed(validation, drawn):
  memo, one = Memo(), {"pipeline_features": "raw", "pipeline_classifier": "svm"}
  found = [
    result(small(**one, pipeline_images=0, data_validation=validation, seed=seed), memo=memo)
    for seed in (0, 1)
  ]
  assert (found[0]["images"] < found[0]["features"]) == drawn  # 130, 390 of 256
  assert [one.get("of_seed") for one in found] == ([None, None] if drawn else [0, 0])


def test_a_memo_forgets_the_oldest_beyond_its_limit():
  memo, made = Memo(limit=100), []
  for key in "abcab":
    memo.get(key, lambda key=key: made.append(key) or np.zeros(5))  # 40 bytes each
  assert made == ["a", "b", "c", "a", "b"]
  memo.get("a", lambda: pytest.fail("a is there still"))


def test_the_cost_of_a_linear_classifier_is_its_matrix():
  found = result(small(pipeline_features="raw", svm_c=0.01))
  assert found["classifier_macs"] == found["macs"] == 256 * 10
  assert found["params"] == 256 * 10 + 10


def test_the_cost_of_an_rbf_svm_grows_with_its_support_vectors():
  from sklearn.svm import SVC

  points = np.random.default_rng(0).normal(size=(60, 4))
  model = SVC().fit(points, np.arange(60) % 3)
  vectors = len(model.support_vectors_)
  cost = classifiers.cost("rbf", model, points)
  assert cost.macs == vectors * 4 + vectors * 2
  assert cost.params == vectors * 4 + vectors * 2 + 3


def test_a_tree_costs_comparisons_and_no_multiply_adds():
  found = result(small(pipeline_features="raw", pipeline_classifier="tree", tree_depth=3))
  assert found["macs"] == 0
  assert 1 < found["comparisons"] <= 3
  assert "params" not in found
