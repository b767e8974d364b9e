"""Training that respects a person's time: seen, checked beforehand, resumable, repeatable.

* `order`: training batches whose order and augmentations are keyed by seed, epoch and index.
* `resume`: a checkpoint now and then; the same command goes on from the last one.
* `progress`: step, loss and the time that is left, for the display of a run.
* `divergence`: a loss that is not finite ends the training with one line.
* `check`: all images are read before the first step.
* `precision`: half precision where there is a graphics card that is good at it.
* `frozen`: features of a frozen network, computed once where images are not augmented.

Runs (`zoo train`, `zoo bench`, `zoo fit`) use all of it for every method that lightning trains; a
method itself only ever needs `frozen`.
"""
