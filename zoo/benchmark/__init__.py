"""Many runs: planned, carried out one by one or in parallel, sealed where that is asked for."""
