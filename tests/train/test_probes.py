"""Rows about each layer, written beside a run that does not notice."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import config, runs
from jaxnets.errors import StoppedError
from jaxnets.train import loop, members, probes
from jaxnets.train.experiment import build
from jaxnets.train.session import finished
from tests.train.tiny import tiny_config


def probed(**more):
  given = {"train__probe_every": 3, "train__log_every": 1, "optim__weight_decay": 0.0}
  return tiny_config(**given | more)


def probes_of(folder):
  """{(step, layer): row}, each once."""
  rows = runs.read_metrics(folder, runs.PROBES)
  found = {(row["step"], row["layer"]): row for row in rows}
  assert len(found) == len(rows)
  return found


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
  folder = tmp_path_factory.mktemp("watched")
  return folder, loop.fit(probed(), folder)


def test_a_run_that_is_probed_ends_at_the_same_bits(watched, tmp_path):
  _, summary = watched
  plain = loop.fit(probed(train__probe_every=0), tmp_path)
  assert plain["params_sha256"] == summary["params_sha256"]
  assert not (tmp_path / "probes.jsonl").exists()
  assert not (tmp_path / "pictures.npz").exists()
  assert "probe_every" not in (tmp_path / "config.json").read_text()


def test_there_is_a_row_per_layer_of_the_first_step_and_of_every_third(watched):
  rows = probes_of(watched[0])
  assert sorted({step for step, _ in rows}) == [1, 3, 6]
  layers = [layer for step, layer in rows if step == 3]
  convolutions = [f"stage{s}/unit1/conv{c}" for s in (1, 2, 3) for c in (1, 2)]
  assert layers[: len(convolutions) + 3] == ["stem", *convolutions, "maps", "head"]
  assert {"stem_norm", "stage2/unit1/norm1"} <= set(layers)
  norm, maps = rows[3, "stem_norm"], rows[3, "maps"]
  assert norm["zero_share"] is None
  assert norm["gradient_norm"] > 0
  assert maps["weight_norm"] is None


def test_gradients_of_all_layers_add_up_to_that_of_the_step(watched):
  folder, _ = watched
  rows = probes_of(folder)
  logged = {r["step"]: r["grad_norm"] for r in runs.read_metrics(folder) if r["split"] == "train"}
  for step in (1, 3, 6):
    norms = [row["gradient_norm"] for (s, _), row in rows.items() if s == step]
    assert math.hypot(*filter(None, norms)) == pytest.approx(logged[step], rel=1e-5)


def test_the_first_update_of_sgd_is_the_rate_times_the_gradient(watched):
  folder, _ = watched
  rate = runs.read_metrics(folder)[0]["lr"]
  for (step, layer), row in probes_of(folder).items():
    if step == 1 and row["gradient_norm"]:
      assert row["update_norm"] == pytest.approx(rate * row["gradient_norm"], rel=1e-2), layer


def test_activations_are_those_of_the_batch_before_the_step(watched):
  rows = probes_of(watched[0])
  built = build(probed())
  init_key, _ = jax.random.split(jax.random.key(0))
  state = built.init(init_key)
  batch = next(loop.training_batches(built, 0))
  images = np.asarray(batch["image"], np.float32)
  source = np.asarray(built.training.images, np.float32)
  images = (images - source.mean()) / source.std()
  output, layers = built.net.look(state.params, state.stats, images, train=True)
  # The gradient of the mean cross-entropy by logits is what is wrong with the probabilities.
  wrong = jax.nn.softmax(output.logits) - jax.nn.one_hot(batch["label"], 10)
  by_logits = float(np.linalg.norm(wrong)) / len(images)
  assert rows[1, "head"]["output_gradient"] == pytest.approx(by_logits, rel=1e-3)
  # All places of a map have the same part in its mean, so each gets the gradient of the mean / n.
  by_means = np.linalg.norm(wrong @ state.params["head"]["kernel"].T) / len(images)
  places = layers["maps"].output[0, ..., 0].size
  by_maps = float(by_means) / places**0.5
  assert rows[1, "maps"]["output_gradient"] == pytest.approx(by_maps, rel=1e-3)
  for layer in ("stem", "stage3/unit1/conv2"):
    zeros = float((np.asarray(layers[layer].output) == 0).mean())
    assert rows[1, layer]["zero_share"] == pytest.approx(zeros, abs=2e-3)
    output = np.asarray(layers[layer].output)
    alive = np.abs(output).max((0, 1, 2)) > 0
    assert rows[1, layer]["dead_share"] == pytest.approx(1 - alive.mean())
    assert rows[1, layer]["mean_square"] == pytest.approx(np.square(output).mean(), rel=1e-3)
    pairs = np.abs(np.corrcoef(output.reshape(-1, output.shape[-1])[:, alive].T))
    mean = pairs[np.triu_indices(len(pairs), 1)].mean()
    assert rows[1, layer]["correlation"] == pytest.approx(mean, rel=1e-2)
    std = float(np.asarray(layers[layer].response).std())
    assert rows[1, layer]["response_std"] == pytest.approx(std, rel=1e-3)


def test_pictures_are_of_the_newest_probe_beside_the_filters_of_the_first(watched):
  found = runs.read_pictures(watched[0])
  assert (found["step_first"], found["step_last"]) == (1, 6)
  assert abs(found["filters_first"] - found["filters_last"]).max() > 0
  assert found["labels"].tolist() == list(range(8))
  assert found["images"].shape == (8, 8, 8, 1)
  assert found["cam"].shape == found["grad_cam"].shape == (8, 2, 2)


def test_channels_killed_copied_and_mixed_are_counted_in_a_probe():
  draw = np.random.default_rng(0)
  sources = draw.normal(size=(64, 3))
  sources = np.linalg.qr(sources - sources.mean(0))[0]
  # Of eight channels three vary alike and independently, one is another's copy, four are dead.
  copied = np.concatenate([sources, -sources[:, :1], np.zeros((64, 4))], 1).reshape(4, 4, 4, 8)
  narrow = {"copied": copied, "again": copied * 5, "wide": draw.normal(size=(10, 16))}
  found = jax.jit(probes.variety)({path: jnp.asarray(x) for path, x in narrow.items()})
  for path in ("copied", "again"):
    # Energies 2, 1, 1: exp(H) of a half and two quarters; correlation 1 of one pair of six.
    assert found[path]["effective_rank_share"] == pytest.approx(2**1.5 / 8, rel=1e-3)
    assert found[path]["energy_90"] == pytest.approx(3 / 8)
    assert found[path]["correlation"] == pytest.approx(1 / 6, abs=1e-3)
  assert 0.3 < found["wide"]["effective_rank_share"] < 9 / 16  # ten samples have rank nine


def test_rows_after_the_checkpoint_are_written_again_not_twice(watched, tmp_path):
  asked = iter(range(100))
  with pytest.raises(StoppedError, match="checkpoint 5 is kept"):
    members.alone(loop.course(probed(), tmp_path, lambda: 15 if next(asked) >= 4 else 0))
  # A kill after the checkpoint: rows of a step that the resumed run takes again.
  runs.append_metrics(tmp_path, {"step": 6, "layer": "stem"}, file=runs.PROBES)
  with open(tmp_path / "probes.jsonl", "a") as file:
    file.write('{"step": 6, "la')
  loop.fit(probed(), tmp_path)
  assert probes_of(tmp_path) == probes_of(watched[0])


def test_members_of_one_program_are_probed_each_for_itself(watched, tmp_path):
  folders = [tmp_path / "0", tmp_path / "1"]
  courses = []
  for seed, folder in enumerate(folders):
    folder.mkdir()
    courses.append(loop.course(probed(seed=seed), folder, lambda: 0))
  assert len(dict(members.together(courses, members.VMAP, 2))) == 2
  found, wanted = probes_of(folders[0]), probes_of(watched[0])
  assert list(found) == list(wanted)
  for place, row in found.items():
    one, other = ([r[measure] or 0 for measure in probes.MEASURES] for r in (row, wanted[place]))
    assert one == pytest.approx(other, rel=1e-3, abs=1e-5), place
  other = probes_of(folders[1])
  assert other[1, "head"]["gradient_norm"] != pytest.approx(found[1, "head"]["gradient_norm"])


def test_a_batch_in_parts_is_probed_too(tmp_path):
  c = probed(train__accumulation=2, train__norm_group=8, train__steps=1, eval__every=9)
  loop.fit(c, tmp_path)
  rows, (row, *_) = probes_of(tmp_path), runs.read_metrics(tmp_path)
  norms = [row["gradient_norm"] for row in rows.values()]
  assert math.hypot(*filter(None, norms)) == pytest.approx(row["grad_norm"], rel=1e-5)


def test_the_field_changes_no_identity_unless_it_is_used(tmp_path):
  plain, used = tiny_config(), tiny_config(train__probe_every=5)
  assert config.digest(plain) == "d420b27ee3bd"  # as before there was the field
  assert config.digest(used) != config.digest(plain)
  assert config.digest(config.program(used)) == config.digest(config.program(plain))
  assert config.from_json(config.to_json(used)).train.probe_every == 5
  assert config.from_json(config.to_json(plain)).train.probe_every == 0
  # A folder of before, whose config has no such field, is gone on with.
  before = config.to_json(plain)
  assert "probe_every" not in before["train"]
  runs.write_json(tmp_path / "config.json", before)
  assert finished(tmp_path, plain) is None
