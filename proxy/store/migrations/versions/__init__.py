"""One file per schema change, in order. Never edit one that was released."""
