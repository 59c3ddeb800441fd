"""The papers that the notes of claims name."""

ALEXNET = "Krizhevsky et al. 2012"
VGG = "Simonyan and Zisserman 2014"
GOOGLENET = "Szegedy et al. 2014"
INCEPTION_V3 = "Szegedy et al. 2015"
RESNET = "He et al. 2015"
