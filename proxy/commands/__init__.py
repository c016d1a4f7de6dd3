"""The verbs of ``veil``, one module each. Each maps `VeilError` to one line on stderr and an exit status."""
