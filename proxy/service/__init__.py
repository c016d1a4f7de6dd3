"""Use cases: ingest, deliver, search, retrieve. Knows no aiohttp, no pynetdicom; ports.py holds what it needs."""
