"""DICOMweb in and out: a thin aiohttp shell over `proxy.wire` (codecs) and `proxy.service` (use cases)."""
