"""What is told of errors and their causes, and what the papers print: with the protocol of each."""

from jaxnets.claims.claim import Quoted
from jaxnets.claims.papers import ALEXNET, GOOGLENET, RESNET, VGG

QUOTED = (
  Quoted(
    "ConvNets beat hand-made features on ImageNet",
    "beat",
    "26.2 % top-5 test error with Fisher vectors of several features, 16.4 % with five ConvNets, "
    "15.3 % with seven, of which two saw more classes before",
    "holds",
    f"{ALEXNET}, table 2, ILSVRC-2012; ensembles on either side",
  ),
  Quoted(
    "All of these nets report their accuracy on the 1.2 million images of ImageNet",
    "1.2 million",
    "1,281,167 images to train on; accuracy is of 50,000 others to validate, or 100,000 to test",
    "wrong",
    "Russakovsky et al. 2015 (1409.0575), table 2, ILSVRC-2012; the first table of "
    f"{ALEXNET} is of the test images of ILSVRC-2010",
  ),
  Quoted(
    "ReLU trains several times faster than the sigmoid",
    "sigmoid",
    "six times faster than tanh to 25 % training error on CIFAR-10, four layers",
    "imprecise",
    f"{ALEXNET}, figure 1: it has no sigmoid; each net at a rate of its own, not regularised",
  ),
  Quoted(
    "VGG's top-5 accuracy is 92.3 %",
    "92.3 %",
    "one net: 92.0 % at one scale, 92.5 % at several, 92.9 % with crops too, 93.0 % of test "
    "images; seven nets: 92.7 % of test images",
    "not found in the paper",
    f"{VGG}, tables 3 to 7, as 100 - error",
  ),
  Quoted(
    "GoogLeNet's top-5 accuracy is 93.3 %",
    "93.3 %",
    "one net: 89.93 % with one crop, 90.85 % with ten, 92.11 % with 144; seven nets with 144: "
    "93.33 %",
    "imprecise",
    f"{GOOGLENET}, table 3, as 100 - error",
  ),
  Quoted(
    "Average pooling in place of fully connected layers loses no accuracy",
    "no loss",
    "0.6 % better top-1 accuracy; dropout remained essential",
    "holds",
    f"{GOOGLENET}, section 5",
  ),
  Quoted(
    "ResNet-152's top-5 accuracy is 95.51 %",
    "95.51 %",
    "one net: 94.29 % with ten crops, 95.51 % at several scales; six nets: 96.43 % of test images",
    "imprecise",
    f"{RESNET}, tables 3, 4 and 5, as 100 - error",
  ),
  Quoted(
    "From AlexNet to VGG, GoogLeNet and ResNet accuracy grew",
    "in this order",
    "ensembles, top-5 test error: 16.4, 7.3, 6.67 and 3.57 %; single nets: 7.0 % of VGG, 7.9 % of "
    "GoogLeNet",
    "imprecise",
    f"{ALEXNET}, table 2; {VGG}, table 7 and section 4.5; {GOOGLENET}, table 2; {RESNET}, table 5",
  ),
  Quoted(
    "The more layers, the better the net",
    "better",
    "ImageNet, top-1: plain nets of 18 layers 27.94 %, of 34 layers 28.54 %; CIFAR-10: residual "
    "nets of 110 layers 6.43 %, of 1,202 layers 7.93 %",
    "wrong",
    f"{RESNET}, tables 2 and 6: ten crops; test images",
  ),
  Quoted(
    "Deep plain nets train badly because their gradients vanish",
    "the cause",
    "batch normalisation in every net: forward signals have variances that are not zero, and "
    "backward gradients have healthy norms, so that the difficulty is unlikely to be caused by "
    "vanishing gradients",
    "wrong",
    f"{RESNET}, section 4.1; C4 and C15 of claims run measure it",
  ),
)
