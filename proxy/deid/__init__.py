"""The pure core: encoded instance in, de-identified chunks and a report out. No I/O, clock, globals or logging."""
