"""Sans-I/O codecs of DICOMweb: multipart, DICOM JSON, media types, URIs. Pure: bytes in, values out."""
