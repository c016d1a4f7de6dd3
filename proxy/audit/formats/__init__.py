"""One audit record, told to others: pure functions from an `entry.Entry` to text. No file, no clock, no network."""
