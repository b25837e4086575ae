"""Reads an adapter's result file as the status reporter does.

The standard library is enough. Of nesting only about a thousand levels are
read, where the reporter takes ten thousand.
"""

import json
import re
import sys
from typing import NamedTuple

MAX_SIZE = 1 << 20
BAD_STATUS = "must be either 'success' or 'failure'"


class Result(NamedTuple):
    """What the Job's condition will say."""

    status: str  # True or False
    reason: str
    message: str


class Invalid(Exception):
    """The file breaks the contract; the text says how."""


class Members(list):
    """A JSON object as (name, value) pairs: a dict would hide a name's second use."""


def read(data: bytes) -> Result:
    """Returns the condition that a result file makes; raises Invalid."""
    if len(data) > MAX_SIZE:
        raise Invalid(f"larger than {MAX_SIZE} bytes")
    document = parse(data.removeprefix(b"\xef\xbb\xbf"))
    if not isinstance(document, Members):
        raise Invalid(f"must be a JSON object, not {kind(document)}")
    found = {}
    for name, value in document:
        if name in found:
            raise Invalid(f"{shown(name, 128) or chr(34) * 2}: named twice")
        found[name] = value
        if name in ("status", "reason", "message"):
            check(name, value)
    if "status" not in found:
        raise Invalid("status: " + BAD_STATUS)
    return Result(
        status="True" if found["status"] == "success" else "False",
        reason=shown(found.get("reason") or "", 128) or "NoReasonProvided",
        message=shown(found.get("message") or "", 1024) or "No message provided",
    )


def parse(data: bytes):
    # Each byte that is no part of a character becomes one U+FFFD: for now a lone
    # surrogate, as are those that escapes in strings may leave.
    text = data.decode("utf-8", errors="surrogateescape")
    if not text.strip(" \t\r\n"):
        raise Invalid("empty")
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 5000))
    try:
        return json.loads(
            text,
            object_pairs_hook=Members,
            parse_constant=no_number,  # NaN and Infinity
            parse_int=Number,  # the reporter reads no number, however long
            parse_float=Number,
        )
    except (ValueError, RecursionError) as e:
        raise Invalid(f"not valid JSON: {e}") from e


class Number(str):
    """A number as it was written."""


def no_number(text):
    raise ValueError(f"invalid number {text}")


def check(name, value):
    if value is None:
        if name == "status":
            raise Invalid("status: " + BAD_STATUS)
    elif kind(value) != "a string":
        raise Invalid(f"{name}: must be a string, not {kind(value)}")
    elif name == "status" and value not in ("success", "failure"):
        raise Invalid("status: " + BAD_STATUS)


def kind(value) -> str:
    if value is None:
        return "null"
    for types, name in (
        (Members, "an object"),
        (list, "an array"),
        (bool, "a boolean"),
        (Number, "a number"),
        (str, "a string"),
    ):
        if isinstance(value, types):
            return name
    raise TypeError(type(value))


# C0 other than newline and tab, DEL, C1, bidirectional overrides and isolates.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def shown(text: str, most: int) -> str:
    """Text as the Job shows it: cleaned, trimmed, cut to a number of code points."""
    text = UNPRINTABLE.sub("", LONE_SURROGATE.sub("\ufffd", text))
    return text.strip()[:most].strip()
