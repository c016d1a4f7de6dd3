"""De-identification in worker processes: a crash, a bomb or a time-out costs one instance, not the proxy."""
