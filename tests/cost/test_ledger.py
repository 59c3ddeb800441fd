"""The ledger of the papers' tables: it is whole, it finds what is wrong, and it counts rightly."""

import functools
import json
import math

import pytest

from jaxnets import cli, kernels, nets
from jaxnets.cost import ledger
from jaxnets.cost.ledger import measures
from jaxnets.errors import ConfigError

PAPERS = (
  "Krizhevsky et al. 2012", "Krizhevsky 2014", "Simonyan and Zisserman 2014", "Szegedy et al. 2014",
  "He et al. 2015",
)  # fmt: skip
PAPER_NETS = [name for name, row in nets.VARIANTS.items() if row.paper.startswith(PAPERS)]
# What torchvision publishes as "num_params" beside its weights.
TORCHVISION = {
  "alexnet_owt": 61_100_840, "vgg11": 132_863_336, "vgg13": 133_047_848, "vgg16": 138_357_544,
  "vgg19": 143_667_240, "vgg16_bn": 138_365_992, "googlenet_tv": 6_624_904,
  "inception_v3_aux": 27_161_264, "resnet18": 11_689_512, "resnet34": 21_797_672,
  "resnet50": 25_557_032, "resnet101": 44_549_160, "resnet152": 60_192_808,
  "resnext50_32x4d": 25_028_904, "wide_resnet50_2": 68_883_240,
}  # fmt: skip
# GoogLeNet's modules: places, maps in, #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
MODULES = {
  "3a": (28, 192, 64, 96, 128, 16, 32, 32),
  "3b": (28, 256, 128, 128, 192, 32, 96, 64),
  "4a": (14, 480, 192, 96, 208, 16, 48, 64),
  "4b": (14, 512, 160, 112, 224, 24, 64, 64),
  "4c": (14, 512, 128, 128, 256, 24, 64, 64),
  "4d": (14, 512, 112, 144, 288, 32, 64, 64),
  "4e": (14, 528, 256, 160, 320, 32, 128, 128),
  "5a": (7, 832, 256, 160, 320, 32, 128, 128),
  "5b": (7, 832, 384, 192, 384, 48, 128, 128),
}


@pytest.fixture(scope="module")
def entries():
  return ledger.check(ledger.rows())


@pytest.fixture
def command(capsys):
  """The verb; -> exit code, standard output, standard error."""

  def run(*words):
    code = cli.main(["launch.py", "fidelity", *words])
    return code, *capsys.readouterr()

  return run


def row(paper, ours, **more):
  return ledger.Row("alexnet", "a paper", "a cell", paper, lambda net: ours, **more)


def status(*arguments, **more):
  return ledger.check([row(*arguments, **more)])[0].status


def weights(maps, one, three_reduce, three, five_reduce, five, pool):
  """Of a module, without biases."""
  ones = maps * (one + three_reduce + five_reduce + pool)
  return ones + 9 * three_reduce * three + 25 * five_reduce * five


def test_no_difference_is_unexplained(entries):
  assert [e for e in entries if e.status == ledger.UNEXPLAINED] == []
  assert {e.status for e in entries} == {ledger.EQUAL, ledger.DIFFERS}
  assert all(bool(e.because) == (e.status == ledger.DIFFERS) for e in entries)


def test_no_cell_is_there_twice():
  cells = [(r.net, r.source, r.cell) for r in ledger.rows()]
  assert len(set(cells)) == len(cells)


@pytest.mark.parametrize("name", PAPER_NETS)
def test_a_net_is_the_papers_or_has_a_row_for_every_axis_that_is_not(name):
  rows = ledger.rows(name)
  original = ledger.DERIVED.get(name)
  if original is None:
    assert sum(not r.cell.startswith("net.") for r in rows) >= 5
    return
  assert original in PAPER_NETS
  theirs = nets.axes(original)
  other = {axis for axis, value in nets.axes(name).items() if value != theirs[axis]}
  named = {r.cell.removeprefix("net.").split(":")[0] for r in rows if r.cell.startswith("net.")}
  assert other
  assert other <= named


def test_a_net_counts_as_derived_only_from_a_net_of_its_own_family():
  for name, original in ledger.DERIVED.items():
    assert nets.variant(name).family == nets.variant(original).family


@pytest.mark.parametrize(
  ("text", "unit", "low", "high"),
  [
    ("96", "", 95.5, 96.5),
    ("253,440", "", 253_439.5, 253_440.5),
    ("60 million", "", 59_500_000, 60_500_000),
    ("15.3 billion", "", 15_250_000_000, 15_350_000_000),
    ("159K", "", 158_500, 159_500),
    ("159K", "Ki", 162_304, 163_328),
    ("2.7K", "Ki", 2_713.6, 2_816),
    ("34M", "", 33_500_000, 34_500_000),
    ("0.27M", "", 265_000, 275_000),
    ("19.4M", "", 19_350_000, 19_450_000),
    ("133", "M", 132_500_000, 133_500_000),
    ("0.714", "G", 713_500_000, 714_500_000),
    ("3.8e9", "", 3_750_000_000, 3_850_000_000),
    ("3.8x10^9", "", 3_750_000_000, 3_850_000_000),
    ("1e-4", "", 0.00005, 0.00015),
    ("18%", "", 17.5, 18.5),
  ],
)
def test_a_printed_number_stands_for_all_that_round_to_it(text, unit, low, high):
  assert tuple(map(float, ledger.interval(text, unit))) == (low, high)


@pytest.mark.parametrize("text", ["", "K", "55x55", "about 3", "3.8 G G", "1.2.3", "-4"])
def test_what_is_no_number_is_not_compared_with_one(text):
  with pytest.raises(ValueError, match="is no number"):
    status(text, 3)


def test_the_ends_of_the_interval_belong_to_it():
  assert status("159K", 163_328, unit="Ki") == ledger.EQUAL
  assert status("159K", 163_329, unit="Ki") == ledger.UNEXPLAINED
  assert status("0.27M", 265_000) == ledger.EQUAL
  assert status("0.27M", 264_999) == ledger.UNEXPLAINED


def test_text_is_compared_as_it_is():
  assert status("55x55x96", "55x55x96") == ledger.EQUAL
  assert status("55x55x96", "55x55x64") == ledger.UNEXPLAINED


def test_a_reason_explains_the_one_value_that_it_is_about():
  assert status("3.8e9", 4_089_184_256, found="4.089e9", because="v1.5") == ledger.DIFFERS
  assert status("3.8e9", 4_189_184_256, found="4.089e9", because="v1.5") == ledger.UNEXPLAINED
  assert status("yes", "no", found="no", because="v1.5") == ledger.DIFFERS


def test_a_reason_where_nothing_differs_is_found():
  (entry,) = ledger.check([row("3.8e9", 3_800_000_001, found="3.8e9", because="v1.5")])
  assert entry.status == ledger.UNEXPLAINED
  assert "nothing differs" in entry.because


def test_a_net_that_drifts_from_its_table_is_found(monkeypatch):
  # torchvision's net under the name of the paper's.
  monkeypatch.setitem(nets.VARIANTS, "googlenet", nets.VARIANTS["googlenet_tv"])
  monkeypatch.setattr(measures, "counted", functools.cache(measures.counted.__wrapped__))
  with kernels.assumed("definition"):
    found = {e.cell: e.status for e in ledger.check(ledger.rows("googlenet"))}
  for cell in ("inception (3a): params", "inception (4c): params", "dropout",
               "net.lrn: LocalRespNorm"):  # fmt: skip
    assert found[cell] == ledger.UNEXPLAINED
  assert found["inception (3a): #5x5"] == ledger.EQUAL


@pytest.mark.parametrize("name", TORCHVISION)
def test_totals_are_those_that_torchvision_publishes(entries, name):
  (entry,) = (e for e in entries if (e.net, e.cell) == (name, "num_params"))
  assert entry.ours == TORCHVISION[name]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_of_googlenet_has_the_weights_of_its_row(entries, name):
  found = {e.cell: e.ours for e in entries if e.net == "googlenet"}
  places, *sizes = MODULES[name]
  assert found[f"inception ({name}): params"] == weights(*sizes)
  assert found[f"inception ({name}): ops"] == places**2 * weights(*sizes)


def test_what_the_reasons_say_of_googlenets_table_is_so():
  def thousands(name, *, biases=False, **changed):
    fields = ("maps", "one", "three_reduce", "three", "five_reduce", "five", "pool")
    named = dict(zip(fields, MODULES[name][1:], strict=True)) | changed
    return (weights(**named) + biases * (sum(named.values()) - named["maps"])) / 1024

  assert round(thousands("3b", biases=True), 1) == 379.6
  assert round(thousands("4a", three=204, biases=True), 1) == 364.0
  assert round(thousands("4a", three=204) * 1024 * 14**2 / 1e6, 1) == 72.9
  assert round(thousands("4b", maps=508), 1) == 436.6
  # The column of operations, to a million: where it agrees with the sizes and where it does not.
  for name, params, ops in (("4c", 463, 100), ("4d", 580, 119), ("4e", 840, 170), ("5b", 1388, 71)):
    places = MODULES[name][0] ** 2
    assert round(thousands(name) * 1024 * places / 1e6) == ops
    assert abs(params * 1024 * places / 1e6 - ops) > 1
  assert round(1072 * 1024 * 7**2 / 1e6) == 54
  separable = 8 * 3 * 7 * 7 + 8 * 3 * 64
  assert separable == 2_712
  assert round(separable * 112**2 / 1e6) == 34


def test_neurons_of_alexnet_add_up_as_the_reasons_say():
  printed = (253_440, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000)
  assert sum(printed) == 622_312
  assert sum(printed) - printed[0] + 55 * 55 * 96 == 659_272
  assert math.prod((55, 48, 96)) == printed[0]


def test_the_command_prints_all_cells_of_the_nets_it_is_given(command):
  code, out, err = command("alexnet_ungrouped", "cifar_resnet20", "--format=json")
  printed = json.loads(out)
  assert code == 0
  assert len(printed) == len(ledger.rows("alexnet_ungrouped") + ledger.rows("cifar_resnet20"))
  assert [p["ours"] for p in printed if p["cell"] == "parameters"] == [62_378_344, 269_722]
  assert set(printed[0]) == {"net", "source", "cell", "paper", "ours", "status", "because"}
  assert "0 unexplained" in err
  code, out, _ = command("cifar_resnet20")
  assert code == 0
  assert "0.27M" in out


def test_a_wrong_number_is_found_and_fails_the_command(command, monkeypatch):
  rows = ledger.rows("cifar_resnet20")
  wrong = [r._replace(paper="0.28M") if r.cell == "parameters" else r for r in rows]
  monkeypatch.setattr(ledger, "rows", lambda net=None: wrong)
  code, out, err = command("--format=json")
  (found,) = (e for e in json.loads(out) if e["status"] == ledger.UNEXPLAINED)
  assert (found["paper"], found["ours"]) == ("0.28M", 269_722)
  assert code == 1
  assert "1 unexplained" in err


def test_an_unknown_net_is_answered_with_the_nearest(command):
  code, _, err = command("alexnte")
  assert code == 2
  assert 'Did you mean "alexnet"?' in err
  with pytest.raises(ConfigError, match='Did you mean "googlenet"'):
    ledger.rows("googlenett")


def test_a_net_of_no_paper_is_said_to_have_no_rows(command):
  code, out, err = command("mlp")
  assert (code, out) == (0, "")
  assert "mlp has no rows" in err
