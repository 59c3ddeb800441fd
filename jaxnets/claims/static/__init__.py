"""What is told of these nets and is decided by counting: sentences with the exact numbers.

A verdict is of the sentence as it is usually told. It "holds" when it is true, a rounded number to
4 %; is "imprecise" when it is true under a condition that the note tells, or a rounded number to
15 %; and is else "wrong". "not found in the paper" is a number told as a paper's that is not there.
"""

from jaxnets.claims.static import alexnet, convolutions, googlenet, heads, resnet, vgg

CLAIMS = (
  *convolutions.CLAIMS,
  *heads.CLAIMS,
  *alexnet.CLAIMS,
  *vgg.CLAIMS,
  *googlenet.CLAIMS,
  *resnet.CLAIMS,
)
