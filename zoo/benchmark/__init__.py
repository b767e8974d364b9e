"""Many runs: planned, run one by one or in parallel, sealed where that is asked for."""
