"""The names of splits: ours, and those of MVTec AD 2 in the order of its protocol."""

TRAIN, VALIDATION, TEST = "train", "validation", "test"
FIT_SPLITS = (TRAIN, VALIDATION)
TEST_SPLITS = ("test_public", "test_private", "test_private_mixed")
PRIVATE_SPLITS = TEST_SPLITS[1:]  # their truth is the benchmark server's
