"""What Reverse Distillation and its successor RD++ share: networks, loss, score map, wiring."""
