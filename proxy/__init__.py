"""Veil: a de-identifying DICOM proxy. See docs/architecture.md for the layers."""

__version__ = "0.1.0"

#: PS3.7 D.3.3.2: our own, a UUID-derived root (PS3.5 B.2), never the library's.
IMPLEMENTATION_CLASS_UID = "2.25.295412331462177214107216733286105217793"
IMPLEMENTATION_VERSION_NAME = "VEIL_0_1"
