"""Sealed runs: fit and calibration in a process that is given train and validation only.

The record, `attestation.json`, holds the SHA-256 of the files that the process read: data, weights,
code. `zoo verify RUN` compares them with what lies on a disk, and repeats the run. What this is
worth stands in `zoo.benchmark.sealed.attestation.LIMITS`.
"""
