"""anomalib-zoo: train, compare and hand in visual anomaly detection methods, one folder each."""

__version__ = "0.1.0"
