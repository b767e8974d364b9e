"""Sealed runs: fit and calibration in a process that sees train and validation only, and a record.

The record, `attestation.json`, holds the SHA-256 of every file that the process read: data,
weights, code, libraries. `zoo verify RUN` compares them with what lies on a disk, and repeats the
run.

What this is worth without root, and what not:

- The process works on a view of the data: a folder that holds the two splits and nothing else.
- Where the kernel has Landlock (Linux since 5.13) no file outside of what is allowed can be opened,
  in whatever language, nor, since ABI 4, any TCP connection. Elsewhere only an audit hook stands
  guard: it stops every honest mistake in Python, and a determined liar could get around it.
- The hook notes what Python opens. What a library opens in C or Rust is not noted, though Landlock
  holds it to the allowed folders too.
- A recipe that names files of the data set, or a folder with copies of them, is refused. Copies are
  known by their bytes: an image that was saved anew, or hidden in weights, is not recognised.
- Evaluation is not sealed: the method's code runs there beside the test images and their truth.
- Names of files outside the data set can be listed, and caches of weights hold whatever somebody
  put there. So the weights that were read are in the record.
- Whoever writes the record can forge it. Only a repetition by somebody else is proof.
"""
