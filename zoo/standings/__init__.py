"""Standings: rows of one data set beside each other, ours and published ones, ranked as VAND does.

Nothing here imports torch.
"""
