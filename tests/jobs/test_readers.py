import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import readers
from jobs.readers import MAX_FIELD, BadFile, Table, read_table

GOOD = [
    ("a.csv", b"text,label\nhi,x\nyo,y\n", [("hi", "x"), ("yo", "y")]),
    ("A.CSV", b"text,label\nhi,x\n", [("hi", "x")]),
    ("bom.csv", b"\xef\xbb\xbftext,label\nhi,x\n", [("hi", "x")]),
    ("crlf.csv", b"text,label\r\nhi,x\r\nyo,y\r\n", [("hi", "x"), ("yo", "y")]),
    ("quoted.csv", b'text,label\n"two\nlines, ""quoted""",x\n', [('two\nlines, "quoted"', "x")]),
    ("no end.csv", b"text,label\nhi,x", [("hi", "x")]),
    ("empty lines.csv", b"text,label\n\nhi,x\n\n\nyo,y\n\n", [("hi", "x"), ("yo", "y")]),
    ("spaced.csv", b" text ,label \nhi,x\n", [("hi", "x")]),
    ("empty field.csv", b"text,label\n,x\n", [("", "x")]),
    ("utf8.csv", "text,label\nnaïve ☕,x\n".encode(), [("naïve ☕", "x")]),
    ("a.tsv", b"text\tlabel\nhi, there\tx\n", [("hi, there", "x")]),
    (
        "quotes.tsv",
        b'text\tlabel\n"he said\t"x"\n6" nails\ty\n',
        [('"he said', '"x"'), ('6" nails', "y")],
    ),
    ("a.jsonl", b'{"text": "hi", "label": "x"}\n', [("hi", "x")]),
    ("bom.jsonl", b'\xef\xbb\xbf{"text": "hi", "label": "x"}\r\n\r\n', [("hi", "x")]),
    (
        "turned.jsonl",
        b'{"text":"1","label":"x"}\n{"label":"y","text":"2"}',
        [("1", "x"), ("2", "y")],
    ),
    (
        "escaped.jsonl",
        b'{"text": "a\\nb \\u00e9\\ud83d\\ude00", "label": "x"}',
        [("a\nb é😀", "x")],
    ),
]

BAD = [
    ("a.xlsx", b"text,label\nhi,x\n", "'.xlsx'; wanted one of .csv, .tsv, .jsonl"),
    ("noending", b"text,label\nhi,x\n", "'nothing'; wanted one of"),
    ("a.csv", b"", "no rows"),
    ("a.csv", b"\xef\xbb\xbf", "no rows"),
    ("a.csv", b"text,label\n", "no rows"),
    ("a.csv", b"\n\n", "no rows"),
    ("a.tsv", b"", "no rows"),
    ("a.jsonl", b"\n \n", "no rows"),
    ("a.csv", b'text,label\n"never closed,x\nyo,y\n', "is a quote not closed"),
    ("a.csv", b'text,label\n"closed" too early,x\n', "line 2: .*quote"),
    ("a.csv", b"text,label\nhi,x\nyo\n", r"line 3: 1 fields, wanted 2 \(text, label\)"),
    ("a.csv", b"text,label\nhi,x,z\n", "line 2: 3 fields, wanted 2"),
    ("a.tsv", b"text\tlabel\nhi\n", "line 2: 1 fields, wanted 2"),
    ("a.csv", b"text,label\nhi,x\n\xff\xfe,y\n", "line 3: byte 0xff is not UTF-8"),
    ("a.csv", "text,label\nhi,x\n".encode("utf-16"), "line 1: byte 0xff is not UTF-8"),
    ("a.jsonl", b'{"text": "caf\xe9"}', "line 1: byte 0xe9 is not UTF-8"),
    ("a.csv", b"text,text\nhi,x\n", "line 1: wanted different, non-empty column names"),
    ("a.csv", b"text, text\nhi,x\n", "line 1: wanted different"),
    ("a.csv", b"text,\nhi,x\n", "line 1: .*non-empty"),
    ("a.csv", b"text,label\nh\x00i,x\n", "line 2, 'text': a NUL character"),
    ("a.csv", b"te\x00xt,label\nhi,x\n", "NUL"),
    ("a.csv", b"text,label\n" + b"y" * (MAX_FIELD + 1) + b",x\n", "line 2, 'text': 20,001 char"),
    ("a.csv", b"text,label\n" + b"y" * 200_000 + b",x\n", "line 2: field larger"),
    ("a.jsonl", b'{"text": "hi"', "line 1: not JSON"),
    ("a.jsonl", b'{"text": "hi"}\n\n[1]\n', "line 3: wanted one flat object of texts"),
    ("a.jsonl", b'"text"', "line 1: wanted one flat object"),
    ("a.jsonl", b'{"text": NaN}', "NaN is not a JSON value"),
    ("a.jsonl", b'{"text": -Infinity}', "-Infinity is not a JSON value"),
    ("a.jsonl", b'{"text": 1}', "line 1: wanted one flat object of texts"),
    ("a.jsonl", b'{"text": null}', "flat object of texts"),
    ("a.jsonl", b'{"text": ["hi"]}', "flat object of texts"),
    ("a.jsonl", b'{"text": {"deep": "hi"}}', "flat object of texts"),
    ("a.jsonl", b"[" * 100_000, "line 1: not JSON"),
    ("a.jsonl", b'{"a":' * 100_000, "line 1: not JSON"),
    ("a.jsonl", b'{"text": ' + b"9" * 10_000 + b"}", "line 1: "),
    ("a.jsonl", b'{"text": "hi", "label": "x"}\n{"text": "hi"}', "line 2: keys .'text'., wanted"),
    ("a.jsonl", b'{}\n{"text": "hi"}', "line "),
    ("a.jsonl", b'{"text": "a\\u0000b"}', "line 1, 'text': a NUL character"),
    ("a.jsonl", b'{"text": "a\\ud800b"}', "line 1, 'text': .*surrogate"),
    ("a.jsonl", b'{"te\\ud800xt": "a"}', "line 1.*surrogate"),
    ("a.jsonl", b'{"text": "' + b"y" * (MAX_FIELD + 1) + b'"}', "line 1, 'text': 20,001 char"),
]


@pytest.mark.parametrize(("name", "data", "rows"), GOOD, ids=[name for name, _, _ in GOOD])
def test_good_files(name, data, rows):
    table = read_table(name, data)
    assert table.columns == ("text", "label")
    assert [(row["text"], row["label"]) for row in table.rows] == rows


@pytest.mark.parametrize(
    ("name", "data", "message"), BAD, ids=[f"{name}-{why}" for name, _, why in BAD]
)
def test_bad_files(name, data, message):
    with pytest.raises(BadFile, match=message) as refusal:
        read_table(name, data)
    str(refusal.value).encode()  # it has to get into an answer
    assert len(str(refusal.value)) < 500


def test_the_longest_field():
    data = b"text,label\n" + b"y" * MAX_FIELD + b",x\n"
    assert len(read_table("a.csv", data).rows[0]["text"]) == MAX_FIELD


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b'text,label\n"1\n1",x\n"2\n2",y\n\n"3\n3",x\n'),
        ("a.tsv", b"text\tlabel\n1\tx\n\n2\ty\n3\tx\n"),
        ("a.jsonl", b'{"text": "1"}\n\n\n{"text": "2"}\n{"text": "3"}\n'),
    ],
)
def test_rows_are_counted_not_lines(name, data, monkeypatch):
    monkeypatch.setattr(readers, "MAX_ROWS", 3)
    assert len(read_table(name, data).rows) == 3
    monkeypatch.setattr(readers, "MAX_ROWS", 2)
    with pytest.raises(BadFile, match="more than 2 rows"):
        read_table(name, data)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
ROWS = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.tuples(*[TEXT] * width), min_size=1, max_size=8)
)


@given(ROWS, st.sampled_from(["\r\n", "\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_the_csv_module_writes_is_read_back(rows, newline, quoting):
    header = tuple(f"c{i}" for i in range(len(rows[0])))
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=newline, quoting=quoting).writerows([header, *rows])
    table = read_table("a.csv", file.getvalue().encode())
    assert table == Table(header, tuple(dict(zip(header, row, strict=True)) for row in rows))


@given(ROWS, st.booleans())
def test_what_the_json_module_writes_is_read_back(rows, ascii_only):
    keys = [f"c{i}" for i in range(len(rows[0]))]
    lines = [json.dumps(dict(zip(keys, row, strict=True)), ensure_ascii=ascii_only) for row in rows]
    table = read_table("a.jsonl", "\n".join(lines).encode())
    assert [tuple(row.values()) for row in table.rows] == rows


LETTERS = st.text('abx,"\t\r\n{}[]:\\u0d8\x00é', max_size=60).map(str.encode)


@given(
    st.sampled_from([".csv", ".tsv", ".jsonl", ".pdf", ""]),
    st.binary(max_size=60) | LETTERS | LETTERS.map(lambda data: b'{"a": "' + data + b'"}'),
)
def test_garbage_is_read_or_refused(ending, data):
    try:
        table = read_table("file" + ending, data)
    except BadFile as refusal:
        str(refusal).encode()
    else:
        assert table.rows
        assert all(
            tuple(row) == table.columns or set(row) == set(table.columns) for row in table.rows
        )
        json.dumps([dict(row) for row in table.rows], ensure_ascii=False).encode()
