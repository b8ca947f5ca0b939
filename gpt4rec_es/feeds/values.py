"""Converters of single fields: ids, numbers, prices; invalid ones raise BadRecordError.

Input: values of a CSV, JSON or Parquet reader; output: values that Postgres can store. Ranges of
numbers are checked here, because Postgres accepts NaN and infinity.
"""

import math
from decimal import Decimal, InvalidOperation

from gpt4rec_es.feeds.batches import ABSENT, BadRecordError, Micros, shown
from gpt4rec_es.feeds.fields.numbers import DecimalMark, number_in

# Elasticsearch's maximum length of an id.
MAX_ID_BYTES = 512
MAX_ORDINAL = 2**62
_EMPTY = (None, "", ABSENT)
_MAX_REAL = 3.4e38
_PRICE_END = Decimal("9999999999.995")
# Whole numbers up to here are exact as four- and eight-byte floats of typed columns.
_MAX_EXACT = 2**53


def external_id(value: object, name: str) -> str:
    """Return an id exactly as delivered; whole numbers become their digits, 20002.0 also.

    Raises:
        BadRecordError: missing, too long, with spaces around it, or with invisible characters.
    """
    # A fast check for most ids, by functions implemented in C.
    if type(value) is str and value.isascii() and value.isprintable():
        if 0 < len(value) <= MAX_ID_BYTES and value[0] != " " and value[-1] != " ":
            return value
        return _unusual_id(value, name)
    if value is None or value is ABSENT:
        raise BadRecordError("missing_id", f"there is no {name}")
    if isinstance(value, bytes):
        return _unusual_id(utf8(value, name), name)
    if isinstance(value, str):
        return _unusual_id(value, name)
    if isinstance(value, int) and not isinstance(value, bool | Micros):
        return _unusual_id(_digits(value, name), name)
    if isinstance(value, float) and value.is_integer() and abs(value) < _MAX_EXACT:
        return str(int(value))  # a column of whole numbers, some of them missing
    kind = type(value).__name__
    raise BadRecordError("bad_id", f"{name} is of type {kind}: write ids as text")


def _unusual_id(value: str, name: str) -> str:
    if not value:
        raise BadRecordError("missing_id", f"{name} is empty")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise BadRecordError("bad_id", f"{name} has a lone surrogate: {shown(value)}") from None
    if size > MAX_ID_BYTES:
        raise BadRecordError("id_too_long", f"{name} has {size} bytes, more than {MAX_ID_BYTES}")
    if value != value.strip():
        raise BadRecordError("bad_id", f"{name} has spaces around it: {shown(value)}")
    if not value.isprintable():
        raise BadRecordError("bad_id", f"{name} has invisible characters: {shown(value)}")
    return value


def whole_number(value: object) -> object:
    """Return text such as 20002.0 without its zeros; for columns that hold whole numbers only."""
    return value.partition(".")[0] if isinstance(value, str) else value


def order_number(value: object) -> int | None:
    """Return an ordinal >= 0, or None if the value is missing.

    Raises:
        BadRecordError: not an integer in range.
    """
    if value in _EMPTY:
        return None
    number: int | None = None
    if isinstance(value, str):
        if value.isdecimal() and len(value) <= 20:
            number = int(value)
    elif isinstance(value, int) and not isinstance(value, bool | Micros):
        number = value
    elif isinstance(value, float) and value.is_integer():  # an integer column with NaN
        number = int(value)
    if number is None or not 0 <= number <= MAX_ORDINAL:
        raise BadRecordError("bad_ordinal", f"{shown(value)} is no whole number from 0 up")
    return number


def rating_number(value: object, decimal: DecimalMark = "point") -> float | None:
    """Return a finite rating, or None if the value is missing.

    Raises:
        BadRecordError: not a number, or out of the range of a four-byte float.
    """
    if value in _EMPTY:
        return None
    number = math.nan
    if isinstance(value, str) and decimal == "comma":
        found = number_in(value, decimal, currency=False)
        number = math.nan if found is None else float(found)
    elif isinstance(value, str | int | float | Decimal) and not isinstance(value, bool | Micros):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
    if not abs(number) <= _MAX_REAL:
        raise BadRecordError("bad_rating", f"{shown(value)} is no rating")
    return number


def quantity_number(value: object, decimal: DecimalMark = "point") -> Decimal | None:
    """Return a number of pieces, negative for a return, or None if the value is missing.

    Raises:
        BadRecordError: not a finite number.
    """
    if value in _EMPTY:
        return None
    number = _amount(value, decimal, currency=False)
    if number is None or not number.is_finite():
        raise BadRecordError("bad_quantity", f"{shown(value)} is no quantity")
    return number


def price_amount(value: object, decimal: DecimalMark = "point") -> Decimal | None:
    """Return a price >= 0 below 10,000,000,000 with two decimals, or None if missing.

    Text may carry a currency and separators between thousands; see ``numbers.number_in``.

    Raises:
        BadRecordError: anything else, negative numbers, NaN and times included.
    """
    if value in _EMPTY or (isinstance(value, str) and value.isspace()):
        return None
    amount = _amount(value, decimal)
    if amount is None or not amount.is_finite() or not 0 <= amount < _PRICE_END:
        what = "a time" if isinstance(value, Micros) else shown(value)
        raise BadRecordError("bad_price", f"{what} is no price")
    return amount.quantize(Decimal("0.01"))


def _amount(value: object, decimal: DecimalMark, *, currency: bool = True) -> Decimal | None:
    if isinstance(value, str):
        return number_in(value, decimal, currency=currency)
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool | Micros):
        return _decimal(value)
    return None


def _decimal(value: float) -> Decimal | None:
    try:
        # The shortest repr of this number: 9.99, not 9.9900000000000002.
        return Decimal(str(value))
    except (InvalidOperation, ValueError):  # ValueError: an integer with thousands of digits
        return None


def utf8(value: bytes, name: str) -> str:
    """Return bytes as text.

    Raises:
        BadRecordError: the bytes are not UTF-8.
    """
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadRecordError("not_utf8", f"{name} is not UTF-8") from None


def _digits(value: int, name: str) -> str:
    try:
        return str(value)
    except ValueError:
        raise BadRecordError("id_too_long", f"{name} is a number of thousands of digits") from None
