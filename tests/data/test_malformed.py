"""Odd, damaged and hostile files: each loads as what it says, or is refused with row and rule."""

from __future__ import annotations

import gzip
import io
import json
import logging
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from safetensors.numpy import save as save_safetensors

from dtgcnn.data import RawData, read_blocks, read_file, read_pairs
from dtgcnn.errors import DataError

HEAD = "text,label\n"
TRIPLET = {"anchor": "a", "positive": "b", "negative": "c"}


class Case(NamedTuple):
    """One file: ``expected`` is the pattern of the message after the file's name, or what the
    attributes of the loaded data are."""

    name: str
    file: str
    content: str | bytes
    expected: str | dict[str, Any]
    limits: dict[str, int] = {}  # noqa: RUF012


def labelled(texts: list[str], labels: list[str], **others: Any) -> dict[str, Any]:
    return {"kind": "labelled", "texts": texts, "labels": labels, **others}


def texts(*texts: str, **others: Any) -> dict[str, Any]:
    return {"kind": "texts", "texts": list(texts), **others}


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def npz(save: Any = np.savez, **arrays: Any) -> bytes:
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def dumps(*records: Any) -> str:
    return json.dumps(list(records))


X = np.arange(8, dtype=np.float32).reshape(4, 2)
Y = np.array([1, 0, 1, 0])
NAN = X.copy()
NAN[2, 1] = np.nan
BIG = "x" * 101
SMALL = {"DTGCNN_MAX_TEXT": 100}
PACKED = gzip.compress((HEAD + "a,b\n").encode())
BOMB = gzip.compress(b"text\n" + b"a\n" * 30_000)

ENCODINGS = [
    Case("UTF-8", "a.csv", HEAD + "né,é\n", labelled(["né"], ["é"])),
    Case("UTF-8 BOM", "a.csv", "\ufeff" + HEAD + "a,b\n", labelled(["a"], ["b"])),
    Case("UTF-8 BOM in JSON", "a.json", "\ufeff" + dumps("a"), texts("a")),
    Case("UTF-8 BOM in JSONL", "a.jsonl", '\ufeff{"text": "a"}\n', texts("a")),
    Case("two BOMs", "a.csv", "\ufeff\ufeff" + HEAD + "a,b\n", r"line 1: .*found '.ufefftext'"),
    Case(
        "UTF-16 BOM", "a.csv", (HEAD + "a,b\n").encode("utf-16"), r"line 1: must be UTF-8.*UTF-16"
    ),
    Case(
        "UTF-16 BE", "a.json", b"\xfe\xff" + '["a"]'.encode("utf-16-be"), r"must be UTF-8.*UTF-16"
    ),
    Case("UTF-32 BOM", "a.txt", "abc".encode("utf-32"), r"must be UTF-8.*UTF-32"),
    Case(
        "UTF-16 no BOM", "a.csv", HEAD.encode("utf-16-le"), r"line 1: .*a NUL at column 2.*UTF-16"
    ),
    Case("Latin-1", "a.csv", HEAD.encode() + b"a,b\ncaf\xe9,b\n", r"line 3: must be UTF-8.*0xe9"),
    Case("Windows-1252", "a.txt", b"ok\nit\x92s\n", r"line 2: must be UTF-8.*0x92 at column 3"),
    Case("Latin-1 far in", "a.txt", b"a\n" * 19_999 + b"\xe9", r"line 20000: must be UTF-8"),
    Case("cut character", "a.txt", "a\né".encode()[:-1], r"line 2: must be UTF-8.*0xc3"),
    Case("overlong UTF-8", "a.txt", b"a\n\xc0\xafb\n", r"line 2: must be UTF-8.*0xc0"),
    Case("UTF-8 surrogate", "a.txt", b"\xed\xa0\x80\n", r"line 1: must be UTF-8.*0xed"),
    Case("NUL in CSV", "a.csv", HEAD + "a\0b,c\n", r"line 2: .*a NUL at column 2"),
    Case("NUL in JSON", "a.json", '["a\0"]', r"line 1: .*a NUL at column 4"),
    Case("NUL escaped", "a.json", r'["a\u0000b"]', r"record 0 .*'text': .*control.*'\\x00' at 1"),
    Case(
        "lone surrogate", "a.json", r'["ok", "\ud800"]', r"record 1 .*'text': must be valid Unicode"
    ),
    Case(
        "surrogate label", "a.jsonl", r'{"text": "a", "label": "\udc80"}', r"line 1: 'label': .*Uni"
    ),
    Case("surrogate pair", "a.json", r'["\ud83d\ude00"]', texts("\U0001f600")),
    Case("escape sequence", "a.txt", "ok\n\x1b[2Jgone\n", texts("ok", "[2Jgone")),
    Case("delete", "a.csv", HEAD + "a\x7fb,c\n", labelled(["a b"], ["c"])),
    Case("bell escaped", "a.json", r'["a\u0007b"]', texts("a b")),
    Case("control alone", "a.txt", "ok\n\x12\n", r"line 2: 'text': must not be blank"),
    Case(
        "control in label", "a.csv", HEAD + "a,b\x08c\n", r"line 2: 'label': must have no control"
    ),
    Case("tab and form feed", "a.csv", HEAD + "a\tb\x0cc,l\n", labelled(["a\tb\x0cc"], ["l"])),
    Case("no-break space", "a.csv", HEAD + "\u00a0,l\n", r"line 2: 'text': must not be blank"),
]

TABLES = [
    Case(
        "unclosed quote", "a.csv", HEAD + 'a,b\n"c,d\ne,f\n', r"line 3: .*CSV: a quote .* not clos"
    ),
    Case(
        "text after quote", "a.csv", HEAD + '"a"b,c\n', r"line 2: is not well-formed CSV: ',' exp"
    ),
    Case("quote within", "a.csv", HEAD + 'a "b" c,d\n', labelled(['a "b" c'], ["d"])),
    Case("doubled quotes", "a.csv", HEAD + '"a ""b""",c\n', labelled(['a "b"'], ["c"])),
    Case("newline in quotes", "a.csv", HEAD + '"a\nb",c\n', labelled(["a\nb"], ["c"])),
    Case("row after one", "a.csv", HEAD + '"a\n\nb",c\n,d\n', r"line 5: 'text': must not be blank"),
    Case("delimiter in quotes", "a.csv", HEAD + '"a,b",c\n', labelled(["a,b"], ["c"])),
    Case(
        "space before quote", "a.csv", HEAD + ' "a, b",c\n', r"line 2: has 3 cells .*double quotes"
    ),
    Case("backslash quote", "a.csv", HEAD + '"a \\"b\\"",c\n', r"line 2: is not well-formed CSV"),
    Case(
        "short row", "a.csv", HEAD + "a,b\nc\n", r"line 3: has 1 cells where the header has 2 \(tex"
    ),
    Case("long row", "a.csv", HEAD + "a,b,c\n", r"line 2: has 3 cells where .*holds a comma must"),
    Case("trailing delimiter", "a.csv", HEAD + "a,b,\n", r"line 2: has 3 cells"),
    Case("trailing everywhere", "a.csv", "text,label,\na,b,\n", labelled(["a"], ["b"])),
    Case(
        "semicolons", "a.csv", "text;label\na;b\n", r"line 1: .*by a comma, found a semicolon in 't"
    ),
    Case(
        "tabs in .csv", "a.csv", "text\tlabel\na\tb\n", r"line 1: .*found a tab .*suffix .* \.tsv"
    ),
    Case("commas in .tsv", "a.tsv", HEAD + "a,b\n", r"line 1: .*by a tab, found a comma.* \.csv"),
    Case("bars", "a.csv", "text|label\na|b\n", r"line 1: .*found a bar"),
    Case("header twice", "a.csv", "text,label,Text\na,b,c\n", r"line 1: 'text': .*occur once"),
    Case(
        "other column twice", "a.csv", "text,id,id\na,1,2\n", r"line 1: 'id': the column must occ"
    ),
    Case("header only", "a.csv", HEAD, r"holds no records"),
    Case(
        "no header",
        "a.csv",
        "lost card,card\nx,y\n",
        r"line 1: needs .*found lost card, card .*fir",
    ),
    Case("blank lines", "a.csv", "\n\n" + HEAD + "\na,b\n\n", labelled(["a"], ["b"], rows=[5])),
    Case("header after blanks", "a.csv", "\n\nfoo,bar\n1,2\n", r"line 3: needs the fields"),
    Case("CR LF", "a.csv", "text,label\r\na,b\r\n", labelled(["a"], ["b"])),
    Case("CR", "a.csv", "text,label\ra,b\rc,d\r", labelled(["a", "c"], ["b", "d"], rows=[2, 3])),
    Case("mixed newlines", "a.csv", "text,label\r\na,b\rc,d\ne,f", labelled([*"ace"], [*"bdf"])),
    Case("CR fault", "a.csv", "text,label\ra,b\r,c\r", r"line 3: 'text': must not be blank"),
    Case("CR LF in .txt", "a.txt", "a\r\nb\r\n", texts("a", "b")),
    Case("no last newline", "a.csv", HEAD + "a,b", labelled(["a"], ["b"])),
    Case("empty", "a.csv", "", r"the file is empty"),
    Case("white space only", "a.csv", " \n\t\n\n", r"holds no records"),
    Case("BOM only", "a.csv", "\ufeff", r"holds no records"),
    Case(
        "blank text", "a.csv", HEAD + "  ,b\n", r"line 2: 'text': must not be blank, received '  '"
    ),
    Case("blank label", "a.csv", HEAD + "a,b\nc,\n", labelled(["a", "c"], ["b", ""])),
    Case("blank labels", "a.csv", HEAD + "a,\nc, \n", r"'label': holds no label"),
    Case("blank split", "a.csv", "text,split\na,\n", r"line 2: 'split': must not be blank"),
    Case("blank group", "a.csv", "text,label,group\na,b,\n", r"line 2: 'group': must not be blank"),
    Case(
        "blank negative",
        "a.csv",
        "anchor,positive,negative\na,b,\n",
        r"line 2: 'negative': .*blank",
    ),
    Case("pairs", "a.csv", "sentence1,sentence2,score\na,b,1\n", r"line 1: .*sentence1.*generate"),
    Case("half a triplet", "a.csv", "anchor,positive\na,b\n", r"line 1: a triplet lacks negative"),
    Case(
        "gigantic text",
        "a.csv",
        f"{HEAD}a,b\n{BIG},c\n",
        r"line 3: 'text': .*at most 100 .*101",
        SMALL,
    ),
    Case("unread gigantic", "a.csv", f"text,note\na,{BIG}\n", texts("a"), SMALL),
    Case(
        "gigantic row",
        "a.csv",
        f"text,note\na,b\nc,{'x' * 1600}\n",
        r"line 3: .*at most 1,600",
        SMALL,
    ),
    Case(
        "quote over all",
        "a.csv",
        'text\nok\n"a\n' + "b\n" * 999,
        r"line 3: a row .*not closed",
        SMALL,
    ),
    Case("text of 1 MiB", "a.txt", "x" * 2**20, texts("x" * 2**20)),
    Case("text over 1 MiB", "a.txt", "ok\n" + "x" * (2**20 + 1), r"line 2: 'text': .*1,048,576"),
    Case("blank in .txt", "a.txt", "a\n\nb\n", r"line 2: 'text': must not be blank"),
    Case("a zip file", "a.csv", archive(x=b"1"), r"line 1: must be UTF-8, it is a zip file"),
    Case("a gzip file", "a.csv", PACKED, r"line 1: must be UTF-8, it is a gzip file.*\.gz"),
]

JSONS = [
    Case(
        "cut", "a.json", '{"triplets": [\n {"anchor": "x"', r"line 2 column \d+: is not valid JSON"
    ),
    Case("trailing comma", "a.json", '["a",\n "b",]', r"line 2 column \d+: is not valid JSON"),
    Case("comment", "a.json", '["a"] // end', r"line 1 column 7: is not valid JSON: Extra data"),
    Case("two documents", "a.json", '["a"]\n["b"]', r"line 2 column 1: .*Extra data.*\.jsonl"),
    Case("single quotes", "a.json", "['a']", r"line 1 column 2: is not valid JSON"),
    Case(
        "raw newline", "a.json", '["a\nb"]', r"line 1 column 4: is not valid JSON: Invalid control"
    ),
    Case(
        "object for list",
        "a.json",
        '{"text": "a", "label": "b"}',
        r"with 'triplets', .*found keys: text",
    ),
    Case(
        "object of lists",
        "a.json",
        '{"triplets": {"anchor": ["a"]}}',
        r"must hold a list of records",
    ),
    Case("null", "a.json", "null", r"must hold a list of records, received None"),
    Case("text", "a.json", '"a"', r"must hold a list of records, received 'a'"),
    Case("nested lists", "a.json", '[["a", "b", "c", "d"]]', r"record 0 .*must be a JSON object"),
    Case("empty list", "a.json", "[]", r"holds no records"),
    Case(
        "missing key",
        "a.json",
        dumps(TRIPLET, {"anchor": "a"}),
        r"record 1 .*'positive': is missing",
    ),
    Case(
        "null text", "a.json", dumps({"text": None}), r"record 0 .*'text': .*string, received None"
    ),
    Case("null label", "a.json", dumps({"text": "a", "label": None}), r"'label': holds no label"),
    Case(
        "number as text", "a.json", dumps("a", 3), r"record 0 .*must be a JSON object, received 'a'"
    ),
    Case(
        "number in text", "a.json", dumps({"text": 3}), r"record 0 .*'text': must be a string.* 3"
    ),
    Case(
        "bool label", "a.json", dumps({"text": "a", "label": True}), r"record 0 .*'label': .*True"
    ),
    Case(
        "list label", "a.json", dumps({"text": "a", "label": [1]}), r"record 0 .*'label': .*\[1\]"
    ),
    Case(
        "NaN label",
        "a.json",
        '[{"text": "a", "label": NaN}]',
        r"'label': holds no label",
    ),
    Case(
        "infinite", "a.json", '[{"text": "a", "label": -Infinity}]', r"record 0 .*'label': .*finite"
    ),
    Case(
        "1e999", "a.json", '[{"text": "a", "label": 1e999}]', r"record 0 .*'label': must be finite"
    ),
    Case(
        "text and number",
        "a.json",
        dumps({"text": "a", "label": 3}, {"text": "b", "label": "3"}),
        labelled(["a", "b"], ["3", "3"]),
    ),
    Case(
        "1 and 1.0",
        "a.json",
        '[{"text": "a", "label": 1}, {"text": "b", "label": 1.0}]',
        labelled(["a", "b"], ["1", "1"]),
    ),
    Case("negative label", "a.json", dumps({"text": "a", "label": -3}), labelled(["a"], ["-3"])),
    Case(
        "huge label",
        "a.json",
        dumps({"text": "a", "label": 10**40}),
        labelled(["a"], [str(10**40)]),
    ),
    Case(
        "gigantic label",
        "a.json",
        '[{"text": "a", "label": 1%s}]' % ("0" * 5000),
        r"is not readable JSON: Exceeds the limit",
    ),
    Case("empty label", "a.json", dumps({"text": "a", "label": ""}), r"'label': holds no label"),
    Case(
        "mixed kinds", "a.json", dumps(TRIPLET, {"text": "a"}), r"record 1 .*'anchor': is missing"
    ),
    Case(
        "some labels",
        "a.json",
        dumps({"text": "a"}, {"text": "b", "label": 1}),
        r"record 1 .*'label': is given here, but not in the first",
    ),
    Case(
        "some splits",
        "a.json",
        dumps({"text": "a", "split": "x"}, {"text": "b"}),
        r"record 1 .*'split': is missing",
    ),
    Case(
        "key twice",
        "a.json",
        '[{"text": "a"}, {"text": "b", "text": "c"}]',
        r"record 1 .*'text': the key must occur once",
    ),
    Case(
        "list twice", "a.json", '{"triplets": [], "triplets": []}', r"'triplets': the key must occ"
    ),
    Case(
        "key twice, JSONL", "a.jsonl", '{"text": "a", "text": "a"}', r"line 1: 'text': the key must"
    ),
    Case("deep lists", "a.json", "[" * 100_000, r"is not readable JSON: .*nested too deeply"),
    Case("deep objects", "a.jsonl", '{"text": "a"}\n' + '{"a":' * 50_000, r"line 2: .*too deeply"),
    Case("list line", "a.jsonl", '{"text": "a"}\n["b"]\n', r"line 2: must be a JSON object"),
    Case("number line", "a.jsonl", "3\n", r"line 1: must be a JSON object, received 3"),
    Case(
        "two on a line", "a.jsonl", '{"text": "a"} {"text": "b"}', r"line 1 column 15: .*one object"
    ),
    Case("cut line", "a.jsonl", '{"text": "a"}\n{"text": ', r"line 2 column 10: is not valid JSON"),
    Case(
        "spread out",
        "a.jsonl",
        '{\n"text": "a"\n}\n',
        r"line 1 column \d: .*one whole object a line",
    ),
    Case("NaN line", "a.jsonl", '{"text": "a", "label": NaN}', r"'label': holds no label"),
    Case(
        "blank lines, JSONL",
        "a.jsonl",
        '\n{"text": "a"}\r\n  \r{"text": "b"}',
        texts(*"ab", rows=[2, 4]),
    ),
    Case(
        "gigantic line",
        "a.jsonl",
        '{"text": "a"}\n{"n": "%s"}' % ("x" * 1600),
        r"line 2: must be at most 1,600 characters",
        SMALL,
    ),
    Case(
        "same negative",
        "a.jsonl",
        json.dumps(TRIPLET | {"negative": " a"}),
        r"line 1: 'negative'.*dif",
    ),
    Case(
        "many keys",
        "a.json",
        json.dumps({"k" * 500 + str(i): i for i in range(99)}),
        r"found keys.{0,350}…$",
    ),
]

PACKINGS = [
    Case("gzip", "a.csv.gz", PACKED, labelled(["a"], ["b"])),
    Case(
        "two members",
        "a.csv.gz",
        PACKED + gzip.compress(b"c,d\n"),
        labelled(["a", "c"], ["b", "d"]),
    ),
    Case("no gzip", "a.csv.gz", HEAD + "a,b\n", r"is not a whole gzip file: Not a gzipped file"),
    Case("truncated gzip", "a.csv.gz", PACKED[:-9], r"is not a whole gzip file"),
    Case("truncated later", "a.txt.gz", BOMB[:-9], r"is not a whole gzip file"),
    Case(
        "gzip checksum", "a.csv.gz", PACKED[:-8] + b"1234" + PACKED[-4:], r"not a whole gzip.*CRC"
    ),
    Case("gzip header only", "a.csv.gz", PACKED[:10], r"is not a whole gzip file"),
    Case(
        "damaged within",
        "a.csv.gz",
        PACKED[:14] + b"\xff\xff" + PACKED[16:],
        r"not a whole gzip file",
    ),
    Case("rubbish after", "a.csv.gz", PACKED + b"rubbish", r"is not a whole gzip file"),
    Case("empty within", "a.csv.gz", gzip.compress(b""), r"the file is empty"),
    Case("gzip in gzip", "a.csv.gz", gzip.compress(PACKED), r"line 1: must be UTF-8, it is a gzip"),
    Case(
        "gzip bomb",
        "a.txt.gz",
        BOMB,
        r"must unpack to at most 1,000 bytes.*DTGCNN_MAX_UNPACKED",
        {"DTGCNN_MAX_UNPACKED": 1000},
    ),
    Case(
        "bomb of one line",
        "a.jsonl.gz",
        gzip.compress(b"x" * 10**6),
        r"unpack to at most 1,000",
        {"DTGCNN_MAX_UNPACKED": 1000},
    ),
    Case(
        "within the limit", "a.csv.gz", PACKED, labelled(["a"], ["b"]), {"DTGCNN_MAX_UNPACKED": 15}
    ),
    Case("over by one", "a.csv.gz", PACKED, r"unpack to at most 14 b", {"DTGCNN_MAX_UNPACKED": 14}),
]

ARRAYS = [
    Case(
        "zip bomb",
        "a.npz",
        npz(np.savez_compressed, x=np.zeros((10**5, 2), np.float32)),
        r"unpack to at most 1,000 bytes, received 800,128",
        {"DTGCNN_MAX_UNPACKED": 1000},
    ),
    Case("no array", "a.npy", b"\x93NUMPY nothing", r"is not a readable NumPy file"),
    Case("cut array", "a.npy", npy(X)[:-8], r"is not a readable NumPy file"),
    Case(
        "pickle", "a.npy", npy(np.array([{"a": 1}], object)), r"not a readable NumPy.*Object arrays"
    ),
    Case("bare pickle", "a.npy", b"\x80\x04N.", r"is not a readable NumPy file: .*pickled"),
    Case(
        "pickle in .npz",
        "a.npz",
        npz(x=X, y=np.array([1, None, "a", 2], object)),
        r"'y': must hold numbers or strings, it holds Python's objects",
    ),
    Case("no zip", "a.npz", b"PK\x03\x04rubbish", r"is not a readable NumPy file"),
    Case("cut zip", "a.npz", npz(x=X)[:-40], r"is not a readable NumPy file"),
    Case("zip of text", "a.npz", archive(x=b"hello"), r"'x': must be an array"),
    Case("array in .npz", "a.npz", npy(X), r"suffix must be .npy"),
    Case("archive in .npy", "a.npy", npz(x=X), r"suffix must be .npz"),
    Case("one axis", "a.npy", npy(X[0]), r"'x': must have the shape \(N, D\).*\(2,\)"),
    Case("three axes", "a.npy", npy(X[None]), r"'x': must have the shape \(N, D\).*\(1, 4, 2\)"),
    Case("no rows", "a.npy", npy(X[:0]), r"'x': must have the shape .*\(0, 2\)"),
    Case("no columns", "a.npy", npy(X[:, :0]), r"'x': must have the shape .*\(4, 0\)"),
    Case("integers", "a.npy", npy(X.astype(int)), r"'x': must be a float16, .*received int64"),
    Case("complex", "a.npy", npy(X.astype(complex)), r"'x': must be a float16, .*received complex"),
    Case("strings", "a.npy", npy(X.astype(str)), r"'x': must be a float16, .*received <U"),
    Case(
        "NaN row", "a.npz", npz(x=NAN, y=Y), r"row 2 .*'x': must be finite in float32, received nan"
    ),
    Case(
        "too large", "a.npy", npy(np.array([[1.0], [1e60]])), r"row 1 .*finite in float32, .*1e\+60"
    ),
    Case(
        "NaN in test_x",
        "a.npz",
        npz(train_x=X, train_y=Y, test_x=NAN, test_y=Y),
        r"row 2 .*'test_x'",
    ),
    Case("big-endian", "a.npy", npy(X.astype(">f4")), {"kind": "texts", "rows": range(4)}),
    Case("column-major", "a.npy", npy(np.asfortranarray(X)), {"kind": "texts", "rows": range(4)}),
    Case("no known name", "a.npz", npz(z=X), r"needs the arrays x .*; found z"),
    Case("names without y", "a.npz", npz(x=X, labels=Y[:2]), r"'labels': .*there is no y"),
    Case("short y", "a.npz", npz(x=X, y=Y[:3]), r"'y': must be one value a row.*\(4,\).*\(3,\)"),
    Case("one-hot y", "a.npz", npz(x=X, y=np.eye(4)), r"'y': must be one value a row.*\(4, 4\)"),
    Case("NaN y", "a.npz", npz(x=X, y=np.array([1, 2, np.nan, 3])), {"labels": [*"12", "", "3"]}),
    Case("bool y", "a.npz", npz(x=X, y=Y > 0), r"row 0 .*'y': must be a string or a number.*True"),
    Case(
        "dates",
        "a.npz",
        npz(x=X, y=Y.astype("M8[D]")),
        r"row 0 .*'y': must be a string or a number",
    ),
    Case("bytes", "a.npz", npz(x=X, y=Y.astype("S1")), r"row 0 .*'y': must be .*received b'1'"),
    Case("float y", "a.npz", npz(x=X, y=Y * 1.0), {"labels": ["1", "0", "1", "0"]}),
    Case("negative y", "a.npz", npz(x=X, y=-2 * Y), {"labels": ["-2", "0", "-2", "0"]}),
    Case("unlabelled y", "a.npz", npz(x=X, y=-Y), {"labels": ["", "0", "", "0"]}),
    Case(
        "uint64",
        "a.npz",
        npz(x=X, y=Y.astype(np.uint64) + np.uint64(2**63)),
        {"labels": [str(2**63 + y) for y in (1, 0, 1, 0)]},
    ),
    Case(
        "y past labels",
        "a.npz",
        npz(x=X, y=Y, labels=np.array(["a"])),
        r"row 0 .*'y': .*received 1",
    ),
    Case(
        "y under 0",
        "a.npz",
        npz(x=X, y=Y - 2, labels=np.array(["a"])),
        r"row 1 .*'y': .*received -2",
    ),
    Case(
        "blank name",
        "a.npz",
        npz(x=X, y=Y, labels=np.array(["a", " "])),
        r"row 1 .*'labels': .*blank",
    ),
    Case(
        "name twice",
        "a.npz",
        npz(x=X, y=Y, labels=np.array(["a", "a"])),
        r"row 1 .*'labels': .*once",
    ),
    Case(
        "widths", "a.npz", npz(anchor=X, positive=X, negative=X[:, :1]), r"equal widths.*negative 1"
    ),
    Case(
        "lengths", "a.npz", npz(anchor=X, positive=X[:2], negative=X), r"'positive': .*as many rows"
    ),
    Case("group", "a.npz", npz(x=X, group=Y), {"groups": ["1", "0", "1", "0"]}),
    Case("short group", "a.npz", npz(x=X, group=Y[:1]), r"'group': must be one value a row"),
    Case("no safetensors", "a.safetensors", b"12345678", r"not a readable .safetensors file"),
    Case(
        "cut safetensors", "a.safetensors", save_safetensors({"x": X})[:-4], r"not a readable .safe"
    ),
    Case("huge header", "a.safetensors", struct.pack("<Q", 2**60) + b"{}", r"not a readable .safe"),
    Case("one byte", "a.safetensors", b"\x01", r"is not a readable .safetensors file"),
    Case(
        "metadata", "a.safetensors", save_safetensors({"x": X}, {"labels": "[1"}), r"not a readable"
    ),
    Case(
        "metadata's kind",
        "a.safetensors",
        save_safetensors({"x": X}, {"split": '{"a": 1}'}),
        r"must hold lists of strings, received \{'a': 1\}",
    ),
    Case(
        "NaN tensors", "a.safetensors", save_safetensors({"x": NAN}), r"row 2 .*'x': must be finite"
    ),
]

CASES = [*ENCODINGS, *TABLES, *JSONS, *PACKINGS, *ARRAYS]


def write(folder: Path, case: Case) -> Path:
    path = folder / case.file
    content = case.content
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    case: Case = request.param
    for name, value in case.limits.items():
        monkeypatch.setenv(name, str(value))
    return case


def check_loaded(raw: RawData, expected: dict[str, Any]) -> None:
    for attribute, value in expected.items():
        assert getattr(raw, attribute) == value, attribute


def test_loads_or_is_refused_with_file_row_and_rule(tmp_path: Path, case: Case) -> None:
    path = write(tmp_path, case)
    if isinstance(case.expected, dict):
        check_loaded(read_file(path), case.expected)
        return
    with pytest.raises(DataError, match=f"^{path}: .*{case.expected}") as caught:
        read_file(path)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert len(str(caught.value)) < 500 + len(str(path))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("case", CASES[: -len(ARRAYS)], ids=lambda case: case.name, indirect=True)
def test_read_in_blocks_it_is_the_same(tmp_path: Path, case: Case) -> None:
    path = write(tmp_path, case)
    if isinstance(case.expected, str):
        with pytest.raises(DataError) as whole:
            read_file(path)
        with pytest.raises(DataError) as streamed:
            list(read_blocks(path, 2))
        assert str(streamed.value) == str(whole.value)
        return
    raw, blocks = read_file(path), list(read_blocks(path, 2))
    assert {block.kind for block in blocks} == {raw.kind}
    assert max(len(block.rows) for block in blocks) <= 2
    assert [row for block in blocks for row in block.rows] == list(raw.rows)
    assert [text for block in blocks for text in block.columns["text"]] == raw.texts


def test_a_control_character_in_a_text_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sentence1,sentence2,score\na,b,1\nTreasury\x12s,c\x01,2\n")
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        assert read_pairs(path).first == ["a", "Treasury s"]
    (record,) = caplog.records
    told = r"line 3: 'sentence1': '\x12' at 8 is read as a space, as are all control characters"
    assert record.getMessage() == f"{path}: {told}"


def test_names_of_cases_are_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) > 60


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(DataError, match=r"a.csv: cannot be read: it is a folder"):
        read_file(tmp_path / "a.csv")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD)
    path.chmod(0)
    with pytest.raises(DataError, match=r"a.csv: cannot be read: Permission denied"):
        read_file(path)


def test_a_bomb_is_refused_before_it_fills_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(bytes(2**27).replace(b"\0", b"a"), 1))
    monkeypatch.setenv("DTGCNN_MAX_UNPACKED", str(2**20))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"unpack to at most 1,048,576 bytes"):
        read_file(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


@pytest.mark.parametrize("name", ["DTGCNN_MAX_TEXT", "DTGCNN_MAX_UNPACKED"])
def test_a_limit_must_be_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(PACKED)
    monkeypatch.setenv(name, "4G")
    with pytest.raises(ValueError, match=rf"{name} must be a whole number .*received '4G'"):
        read_file(path)


def test_arrays_that_are_not_read_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(npz(x=X, note=Y))
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        assert read_file(path).kind == "texts"
    assert f"{path}: the arrays 'note' are not read" in caplog.text
    assert "x [, y [, labels]]" in caplog.text
