"""Recognise files that are no tables, and name the command that makes a table of them."""

from __future__ import annotations

from pathlib import Path

from consumers.datasets.problems import TableError

_PANDAS = "python -c \"import pandas; pandas.read_{}('FILE').to_parquet('FILE.parquet')\""
_EXCEL = "libreoffice --headless --convert-to csv FILE"

_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (b"SQLite format 3", "an SQLite database", "sqlite3 -header -csv FILE 'select * from TABLE' > FILE.csv"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", _EXCEL),
    (b"Obj\x01", "an Avro file", "java -jar avro-tools.jar tojson FILE > FILE.jsonl"),
    (b"ORC", "an ORC file", _PANDAS.format("orc")),
    (b"ARROW1", "an Arrow (Feather) file", _PANDAS.format("feather")),
    (b"FEA1", "a Feather file", _PANDAS.format("feather")),
    (b"\x89HDF", "an HDF5 file", _PANDAS.format("hdf")),
    (
        b"\x93NUMPY",
        "a NumPy array",
        "python -c \"import numpy; numpy.savetxt('FILE.csv', numpy.load('FILE'))\"",
    ),
    (b"PARE", "an encrypted Parquet file", "decrypt it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "7z x FILE"),
    (b"Rar!", "a RAR archive", "unrar x FILE"),
    (b"\x1f\x9d", "a .Z file", "uncompress FILE"),
    (b"%PDF", "a PDF document", "export its table as CSV"),
    *((b"\x80" + bytes([n]), "a Python pickle", _PANDAS.format("pickle")) for n in (2, 3, 4, 5)),
)


def refuse_foreign(path: Path, head: bytes) -> None:
    """Raise TableError for a file that begins like one of these."""
    for start, name, command in _STARTS:
        if head.startswith(start):
            raise TableError(
                f"{path}: this is {name}; make it a table first: {command.replace('FILE', str(path))}"
            )
    if head[257:262] == b"ustar":
        raise TableError(f"{path}: this is a tar archive; unpack it and name the tables: tar -xf {path}")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html")):
        raise TableError(
            f"{path}: this is a web page, not a table; was the download answered with an error page?"
        )
    if text.startswith(b"<?xml"):
        raise TableError(f"{path}: this is XML; make it CSV or JSON Lines first, for instance with yq -p xml")


def refuse_office(path: Path, names: list[str]) -> None:
    """Raise TableError for a zip archive whose `names` are those of a spreadsheet."""
    for inside, name in (("xl/workbook.xml", "an Excel workbook"), ("content.xml", "an OpenDocument file")):
        if inside in names:
            raise TableError(
                f"{path}: this is {name}; save the sheet as CSV: {_EXCEL.replace('FILE', str(path))}"
            )
