"""One HTML file that shows runs: tables, charts, calibration curves, worst and best cases.

Nothing here imports torch, and the file needs no network. Charts are SVG that pure functions write.
"""
