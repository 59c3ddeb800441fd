import numpy as np
import pytest

from jaxnets.data import crops, order


def boxes(crop, size, width, height, count=400):
  crop = crops.checked(crop, size)
  return np.array(
    [
      crops.train_box(crop, order.words(0, 0, i, crops.DRAWS), width, height, size)
      for i in range(count)
    ]
  )


@pytest.mark.parametrize("kind", crops.KINDS)
@pytest.mark.parametrize(("width", "height"), [(500, 375), (30, 400), (1000, 31), (7, 7)])
def test_every_box_lies_in_the_image(kind, width, height):
  left, upper, right, lower = boxes(kind, 224, width, height).T
  assert (left >= 0).all()
  assert (upper >= 0).all()
  assert (right <= width).all()
  assert (lower <= height).all()
  assert (right > left).all()
  assert (lower > upper).all()


def test_random_resized_areas_and_aspects_fill_their_ranges():
  left, upper, right, lower = boxes("random_resized", 224, 400, 400).T
  w, h = right - left, lower - upper
  share = w * h / 160000
  assert 0.08 <= share.min() < 0.12
  assert 0.9 < share.max() <= 1
  assert 0.75 <= (w / h).min() < 0.77
  assert 1.31 < (w / h).max() <= 4 / 3 + 1e-9


def test_an_image_too_long_for_any_draw_gives_its_largest_central_crop():
  box = boxes(crops.Crop(area=(1.0, 1.0)), 10, 400, 100, count=1)[0]
  w = 100 * 4 / 3
  assert box == pytest.approx([200 - w / 2, 0, 200 + w / 2, 100])


def test_scale_jitter_draws_the_short_side_of_the_papers():
  left, _, right, _ = boxes("scale_jitter", 224, 500, 375).T
  short = 224 * 375 / (right - left)
  assert 256 <= short.min() < 260
  assert 470 < short.max() <= 480


def test_fixed_crops_stay_in_the_central_square():
  left, upper, right, lower = boxes("fixed", 224, 500, 400).T
  assert left.min() >= 50
  assert right.max() <= 450
  assert (right - left) == pytest.approx(400 * 224 / 256)
  assert upper.min() < 5
  assert lower.max() > 395


def test_the_central_box_is_that_of_the_resized_image():
  # 512x256 resized to a short side of 128 is 256x128; its central 64 are [96, 160] x [32, 96].
  assert crops.centre_box(128, 512, 256, 64) == (192, 64, 320, 192)
