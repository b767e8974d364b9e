"""Robustness without a private set: SegF1 of a fitted run on labelled images under other lights.

A light changes values and never geometry (`zoo.data.relight`), so that masks stay valid. These are
computed lights, easier than a lamp that moves: a drop here is a warning, no drop is no proof.
"""
