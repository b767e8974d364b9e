"""Runs: one recipe on one object with one seed, and the folders and grids they make up."""
