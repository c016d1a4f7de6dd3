"""The only code that touches disk or database: spool, queue, quarantine, keys, the lock of the data folder.

It imports values from `proxy.service.ports` (the ports it implements), `proxy.workers.arena`, `proxy.deid` and
`proxy.errors`, and nothing else of Veil.
"""
