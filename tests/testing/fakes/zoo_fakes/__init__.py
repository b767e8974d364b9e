"""Methods for tests of the contract: a sound one, and others that differ from it in one fault."""
