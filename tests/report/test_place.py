"""The folder of a page: nothing of anybody else's is lost there."""

import pytest

from jaxnets.errors import ConfigError
from jaxnets.report import place


def test_a_folder_with_a_page_of_somebody_else_is_refused_and_stays(tmp_path):
  (tmp_path / "data").mkdir()
  (tmp_path / "data" / "precious.txt").write_text("mine")
  (tmp_path / "index.html").write_text("mine")
  with pytest.raises(ConfigError, match="holds other things"):
    place.check(tmp_path)
  assert (tmp_path / "data" / "precious.txt").read_text() == "mine"


def test_a_page_made_again_takes_away_what_it_wrote_before_and_nothing_else(tmp_path):
  out, outside = tmp_path / "page", tmp_path / "outside.txt"
  outside.write_text("mine")
  place.check(out)
  place.write(out, {"index.html": b"one", "figures/old.svg": b"old", "data/a.csv": b"1"})
  (out / "data" / "precious.txt").write_text("mine")
  place.check(out)
  page = place.write(out, {"index.html": b"two", "data/a.csv": b"2"})
  assert page.read_bytes() == b"two"
  assert (out / "data" / "a.csv").read_bytes() == b"2"
  assert not (out / "figures" / "old.svg").exists()
  assert (out / "data" / "precious.txt").read_text() == "mine"
  (out / place.LISTED).write_text('["../outside.txt", "index.html"]')
  place.write(out, {"index.html": b"three"})
  assert outside.read_text() == "mine"
