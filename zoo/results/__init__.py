"""From the metrics of runs to tables, rankings, reports and pages, beside published rows.

Nothing here that makes tables or reports imports torch.
"""
