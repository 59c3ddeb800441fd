"""Sweeps: many configs declared, priced, run, and compared.

grid         the algebra in which an experiment file declares its cells
cells        cells checked against the config, named, and told apart
folder       the sweep folder: sweep.json and a run folder for each cell
preflight    what a sweep will cost, before anything runs
dispatch     cells on worker processes; worker: one of them
statistics   means, intervals, tests; aggregate: groups of runs that differ in the seed
"""
