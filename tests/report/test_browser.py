"""The page in a browser without a network, wide and narrow."""

import html
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from jaxnets.cli import main
from jaxnets.report.figures import saving, style
from tests.report.folders import write_sweep

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
  CHROMIUM is None, reason="no chromium on PATH (Debian: apt-get install chromium)"
)
WIDTHS = (1280, 360)
# What is measured of the page in frames of both widths.
PROBE = """<!DOCTYPE html><title>probe</title>%s<pre id="out"></pre><script>
onload = () => {
  const found = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument;
    const boxes = [...page.querySelectorAll("svg")].map(svg => svg.getBoundingClientRect());
    const cards = [...page.querySelectorAll(".card, .scroll")];
    return {
      asked: frame.width, view: page.documentElement.clientWidth,
      page: page.documentElement.scrollWidth, body: page.body.scrollWidth,
      figures: boxes.map(box => [box.width, box.height]),
      widest: Math.max(...cards.map(card => card.getBoundingClientRect().right)),
      scrolls: cards.filter(card => card.scrollWidth > card.clientWidth).length,
      text: page.body.innerText.length,
    };
  });
  document.getElementById("out").textContent = JSON.stringify(found);
};
</script>"""


def browse(*arguments: str, folder: Path) -> subprocess.CompletedProcess:
  """Chromium's output for a page; no name resolves, so nothing outside can be reached."""
  return subprocess.run(
    [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
     "--force-device-scale-factor=1", "--enable-logging=stderr", "--virtual-time-budget=2000",
     "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}",
     "--allow-file-access-from-files", *arguments],
    capture_output=True, text=True, check=True, timeout=1200,
  )  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
  place = tmp_path_factory.mktemp("browser")
  axes = {"net.depth": [8, 14, 20], "net.shortcut": ["none", "A"]}
  sweep = write_sweep(
    place / "sweep", axes, [0, 1, 2],
    lambda s, seed: "diverged" if (s["net.depth"], seed) == (20, 2) else
    0.8 + 0.004 * s["net.depth"] * (s["net.shortcut"] == "A") + 0.003 * seed * seed,
  )  # fmt: skip
  with pytest.MonkeyPatch.context() as patch:
    # All that a page holds.
    patch.setattr(saving, "FORMS", ("svg",))
    patch.setattr(style, "PAGES", (style.WIDE,))
    assert main(["launch.py", "report", str(sweep)]) == 0
  return sweep / "report" / "index.html"


@pytest.fixture(scope="module")
def measured(page) -> tuple[list[dict], str]:
  frames = "".join(f'<iframe src="index.html" width="{w}" height="900"></iframe>' for w in WIDTHS)
  probe = page.with_name("probe.html")
  probe.write_text(PROBE % frames.replace("<iframe", '<iframe style="border:0"'))
  result = browse("--dump-dom", "--window-size=1700,1000", probe.as_uri(), folder=page.parents[2])
  told = result.stdout.split('<pre id="out">')[1].split("</pre>")[0]
  return json.loads(html.unescape(told)), result.stderr


def test_figures_and_text_are_there_at_both_widths(measured):
  for one in measured[0]:
    assert one["view"] == int(one["asked"])
    assert len(one["figures"]) == 5
    assert all(width >= 400 and height >= 150 for width, height in one["figures"])
    assert one["text"] > 1500


def test_the_page_never_scrolls_sideways_its_tables_do(measured):
  for one in measured[0]:
    assert one["page"] == one["view"]
    assert one["body"] <= one["view"]
    assert one["widest"] <= one["view"]
  assert measured[0][1]["scrolls"] > 0


def test_the_browser_has_nothing_to_complain_of(measured):
  assert [line for line in measured[1].splitlines() if "CONSOLE" in line] == []


@pytest.mark.parametrize(("scheme", "light"), [(1, True), (0, False)], ids=["light", "dark"])
def test_the_page_follows_the_wish_for_light_or_dark_and_its_figures_stay_white(
  page, scheme, light, tmp_path
):
  from PIL import Image

  shot = tmp_path / "shot.png"
  browse(f"--blink-settings=preferredColorScheme={scheme}", "--window-size=1280,2200",
         f"--screenshot={shot}", page.as_uri(), folder=tmp_path)  # fmt: skip
  with Image.open(shot) as image:
    pixels = image.convert("RGB")
  corner = pixels.getpixel((5, 5))
  assert (min(corner) > 200) == light
  colours = pixels.getcolors(maxcolors=1 << 24) or []
  counts = {colour: n for n, colour in colours}
  assert counts.get((255, 255, 255), 0) > 100_000
  # Okabe and Ito's blue, of the thick lines.
  assert counts.get((0, 114, 178), 0) > 200
