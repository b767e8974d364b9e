"""The names of the splits of MVTec AD 2, in the order of its protocol."""

FIT_SPLITS = ("train", "validation")
TEST_SPLITS = ("test_public", "test_private", "test_private_mixed")
PRIVATE_SPLITS = TEST_SPLITS[1:]  # their truth is the benchmark server's
