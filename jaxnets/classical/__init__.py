"""Hand-made features and the classifiers that read them: what learned features replaced.

config       the fields of a pipeline; cells: features x classifiers x seeds x sizes
images       a split as one array of uint8 images; nested, class-balanced subsets of it
features     names -> features, and concatenations; hog, lbp, gist, sift, colour, patches: one each
classifiers  names -> scikit-learn's classifiers, each with its grid of strengths
pipeline     features -> standardisation -> classifier, chosen on validation, tested once
session      a pipeline in its run folder; the cells of a sweep folder one after the other

The only room with scikit-learn and scikit-image; without JAX.
"""
