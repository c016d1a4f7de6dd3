"""The audit stream: chained records in append-only segments, and their verifier."""
