"""From a folder of good pictures and a budget to an exported model: tries, estimates, chooses.

Accuracy is an estimate throughout: no real defect is at hand. It ranks candidates by defects that
are painted into good pictures, and by good pictures under other lights.
"""
