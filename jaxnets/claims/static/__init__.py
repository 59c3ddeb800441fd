"""What is told of these nets and is decided without a run: by counting, or by the papers' tables.

A verdict is of the sentence as it is usually told. It "holds" when it is true, a rounded number to
4 %; is "imprecise" when it is true under a condition that the note tells, or a rounded number to
15 %; and is else "wrong". "not found in the paper" is a number told as a paper's that is not there.
"""

from collections.abc import Callable

from jaxnets.claims.claim import Claim, Row, told
from jaxnets.claims.static import alexnet, convolutions, googlenet, heads, quoted, resnet, vgg

CLAIMS = (
  *convolutions.CLAIMS,
  *heads.CLAIMS,
  *alexnet.CLAIMS,
  *vgg.CLAIMS,
  *googlenet.CLAIMS,
  *resnet.CLAIMS,
)


def rows(decide: Callable[[Claim], Row] = told) -> list[Row]:
  """All sentences, decided: with `check` counted anew, with `told` as they stand."""
  return [*map(decide, CLAIMS), *map(told, quoted.QUOTED)]
