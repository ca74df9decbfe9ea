"""The first bytes of files that hold no table, each with what to do."""

import re

_SHEET = "save its sheet as CSV"
_UNPACK = "unpack it and send the table in it"
_REPACK = "pack it with gzip or not at all"
_EXPORT = "export the table as CSV or Parquet"
_PARQUET = "save it as Parquet"
_TABLE = "send the table itself, as CSV, JSON or Parquet"
_BINARY = rb"(?=[\s\S]{,60}[\x00-\x08\x0e-\x1f])"
_TEXT = rb"(?:\xef\xbb\xbf)?\s*"
_PAGE = _TEXT + rb"(?:<!--.{,1000}?-->\s*)*"

_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (rb"PK\x03\x04[\s\S]*?xl/", "an Excel workbook (xlsx)", _SHEET),
    (rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis\.opendocument", "an ODF document", _SHEET),
    (rb"PK\x03\x04.{26}\[Content_Types\]\.xml", "an Office document", _SHEET),
    (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", "a zip archive", _UNPACK),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document, such as Excel's xls", _SHEET),
    (rb"\x09\x08[\x08\x10]\x00", "an old Excel workbook (xls)", _SHEET),
    (rb"SQLite format 3\x00", "an SQLite database", _EXPORT),
    (rb".{8}DUCK", "a DuckDB database", _EXPORT),
    (rb"Obj\x01", "an Avro file", _EXPORT),
    (rb"ARROW1\x00\x00", "an Arrow (Feather) file", _PARQUET),
    (rb"FEA1", "a Feather file", _PARQUET),
    (rb"\xff\xff\xff\xff.{4}", "an Arrow stream", _PARQUET),
    (rb"ORC" + _BINARY, "an ORC file", _EXPORT),
    (rb"PARE", "an encrypted Parquet file", "send it unencrypted"),
    (rb"\s*%PDF-", "a PDF document", _TABLE),
    (rb"\{\\rtf", "an RTF document", _TABLE),
    (rb"\x89PNG\r\n\x1a\n", "a PNG image", _TABLE),
    (rb"\xff\xd8\xff", "a JPEG image", _TABLE),
    (rb"GIF8[79]a", "a GIF image", _TABLE),
    (rb"II\*\x00|MM\x00\*", "a TIFF image", _TABLE),
    (rb"BM" + _BINARY, "a BMP image", _TABLE),
    (rb"RIFF" + _BINARY, "an image or a sound", _TABLE),
    (rb"\x00\x00\x00.ftyp", "a video or an image", _TABLE),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (rb"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (rb"[\s\S]{257}ustar", "a tar archive", _UNPACK),
    (rb"\xfd7zXZ\x00", "packed with xz", _REPACK),
    (rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", "packed with bzip2", _REPACK),
    (rb"\x04\x22\x4d\x18", "packed with LZ4", _REPACK),
    (rb"\x1f\x9d", "packed with compress", _REPACK),
    (rb"\xff\x06\x00\x00sNaPpY", "packed with Snappy", _REPACK),
    (rb"\x1f\x8b", "packed with gzip twice", "pack it once or not at all"),
    (rb"\x28\xb5\x2f\xfd", "packed with zstd twice", "pack it once or not at all"),
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file", _EXPORT),
    (rb"CDF[\x01\x02\x05]", "a NetCDF file", _EXPORT),
    (rb"RD[AX][23]\n", "an R data file", _EXPORT),
    (rb"\x80[\x02-\x05][\x95\x63\x7d\x5d]", "a Python pickle", _EXPORT),
    (rb"X\n\x00\x00\x00[\x02\x03]|B\n[\x02\x03]\x00\x00\x00", "an R data file", _EXPORT),
    (rb"<stata_dta>", "a Stata file", _EXPORT),
    (rb"\$FL[23]@\(#\)", "an SPSS file", _EXPORT),
    (rb"\x00{12}\xc2\xea\x81\x60", "a SAS file", _EXPORT),
    (rb"\x93NUMPY", "a NumPy array", _EXPORT),
    (rb"\x00\x01\x00\x00Standard (?:Jet|ACE) DB", "an Access database", _EXPORT),
    (
        rb"version https://git-lfs\.github\.com/",
        "a pointer of Git LFS",
        "send the file that it stands for",
    ),
    (rb"\x7fELF|MZ" + _BINARY, "a program", _TABLE),
    (
        _PAGE + rb"(?i:<(?:!doctype html|html|head|body|table|script|div|svg|p|h[1-6])[\s>])",
        "an HTML page",
        _TABLE,
    ),
    (_TEXT + rb"<(?:\?xml|!--|[A-Za-z][\w.:-]*(?:\s[^<>]*)?>\s*<)", "XML", _TABLE),
)
_PATTERNS = tuple(
    (re.compile(pattern, re.DOTALL), f"the file is {kind}: {advice}")
    for pattern, kind, advice in _SIGNATURES
)


def foreign(head: bytes) -> str | None:
    """Return what a file is, and what to do, if its first bytes show that it is no table."""
    return next((message for pattern, message in _PATTERNS if pattern.match(head)), None)
