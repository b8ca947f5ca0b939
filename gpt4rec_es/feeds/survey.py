"""Finds out how a file's values are written, in a first pass before it is imported.

The pass ends as soon as all questions are settled, mostly after the first thousand records.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, cast

from gpt4rec_es.errors import DataError
from gpt4rec_es.feeds.ballot import Ballot
from gpt4rec_es.feeds.batches import Feed, shown
from gpt4rec_es.feeds.fields.flags import DRAFT, FLAGS, flag_key
from gpt4rec_es.feeds.fields.numbers import DecimalMark, reading_of
from gpt4rec_es.feeds.formats import DATE_ORDERS, Formats, Reading, patterns
from gpt4rec_es.feeds.marks import as_marks, is_mark, present
from gpt4rec_es.feeds.shapes import Shape
from gpt4rec_es.feeds.times import DateOrder, order_of

_INTEGER = re.compile(r"[0-9]+(\.0+)?", re.ASCII)
_DECIMAL_HINT = (
    "Give --decimal comma (1.299,00) or --decimal point (1,299.00), or leave the column out "
    "by --column FIELD=."
)
_DATE_HINT = "Give --time-format day-first, month-first, or a pattern as %d/%m/%Y %H:%M."


class _Question(Protocol):
    field: str

    @property
    def is_settled(self) -> bool:
        """Whether the rest of the file cannot change the answer."""

    def look(self, lines: Sequence[int], values: Sequence[object], /) -> None:
        """Read values of the field and their lines."""


class _Votes:
    """A question that the values of a field answer by votes; several fields may share a ballot."""

    def __init__(
        self, field: str, ballot: Ballot, vote: Callable[[str], str | None], marks: frozenset[str]
    ) -> None:
        self.field = field
        self._marks = marks
        self._ballot = ballot
        self._vote = vote

    @property
    def is_settled(self) -> bool:
        return self._ballot.is_settled

    def look(self, lines: Sequence[int], values: Sequence[object]) -> None:
        # Digits alone read the same in every way: whole numbers and times as numbers.
        if "".join(one for one in values if isinstance(one, str)).isdecimal():
            return
        for line, value in zip(lines, values, strict=True):
            found = present(value, self._marks)
            if isinstance(found, str):
                self._ballot.add(self._vote(found), found, line)


class _Integers:
    """Whether all ids of a field are whole numbers, some of them written as 20002.0."""

    def __init__(self, field: str, marks: frozenset[str]) -> None:
        self.field = field
        self._marks = marks
        self.is_settled = False
        self._example = ""

    def look(self, lines: Sequence[int], values: Sequence[object]) -> None:
        texts = {one for one in values if isinstance(one, str)}
        if texts and "".join(texts).isdecimal():  # a fast check for most batches of numbers
            return
        for value in texts:
            if is_mark(value, self._marks):
                continue
            found = _INTEGER.fullmatch(value)
            if found is None:
                self.is_settled = True
                return
            if found[1] and not self._example:
                self._example = f"{shown(value)} in line {lines[values.index(value)]:,}"

    @property
    def answer(self) -> str | None:
        return None if self.is_settled else self._example or None


class _Drafts:
    """Whether another word for true stands in the column, so that -1 means false."""

    field = "active"

    def __init__(self) -> None:
        self.is_settled = False

    def look(self, _lines: Sequence[int], values: Sequence[object]) -> None:
        words = {flag_key(str(value)) for value in values if isinstance(value, str | int)}
        self.is_settled |= any(FLAGS.get(word) for word in words)

    @property
    def answer(self) -> dict[str, bool]:
        return {DRAFT: False} if self.is_settled else {}


class Survey:
    """What the first pass over one file found out.

    said: one sentence for each thing that was not clear from the start.
    """

    def __init__(self, shape: Shape, formats: Formats) -> None:
        self._shape = shape
        self._formats = formats
        self._numbers = Ballot("point", "comma")
        self._days = Ballot(*DATE_ORDERS)
        self._marks = as_marks(formats.no_value)
        self._integers = [_Integers(name, self._marks) for name in ("user_id", "item_id")]
        self._drafts = _Drafts()
        self.said: list[str] = []

    def read(self, feed: Feed) -> Reading:
        """Return how to read the values of ``feed``, which is read from its beginning.

        Raises:
            UsageError: they can be read in two ways, and an option must say how.
        """
        formats, shape = self._formats, self._shape
        self._ask(feed)
        pattern = formats.time_format
        return Reading(
            marks=self._marks,
            decimal=self._decimal(feed.path),
            unit=formats.time_unit or shape.time_unit,
            order=self._order(feed.path),
            pattern=None if pattern in ("auto", *DATE_ORDERS) else pattern,
            flags={**FLAGS, **self._drafts.answer, **formats.flags},
            integer_ids=self._integer_ids(),
            loose_prices=shape.loose_prices,
            skip_items=patterns(formats.skip_items),
            skip_guests=formats.skip_guests,
            purchases=patterns(formats.purchases, re.IGNORECASE),
            returns=patterns(formats.returns, re.IGNORECASE),
        )

    def _ask(self, feed: Feed) -> None:
        questions: list[_Question] = [*self._integers, self._drafts]
        if self._formats.decimal == "auto" and self._shape.decimal is None:
            numbers = ("price", "rating", "quantity")
            questions += [_Votes(name, self._numbers, reading_of, self._marks) for name in numbers]
        if self._formats.time_format == "auto":
            questions.append(_Votes("timestamp", self._days, order_of, self._marks))
        sources = self._shape.sources
        asked = [one for one in questions if set(sources.get(one.field, ())) & set(feed.fields)]
        if not asked:
            return
        # The import itself meets damage again, and records it.
        with suppress(DataError):
            for batch in feed.batches([sources[one.field] for one in asked]):
                columns = zip(*batch.values, strict=True) if batch.values else [()] * len(asked)
                for question, column in zip(asked, columns, strict=True):
                    if not question.is_settled:
                        question.look(batch.lines, column)
                if all(one.is_settled for one in asked):
                    break

    def _decimal(self, path: str) -> DecimalMark:
        given = self._shape.decimal if self._formats.decimal == "auto" else self._formats.decimal
        if given is not None:
            return given
        found = self._numbers.winner(path, "numbers", _DECIMAL_HINT)
        if found == "comma" or (found and self._numbers.votes["either"]):
            self.said.append(f"decimal {found}, by {self._numbers.example(found)}")
        return cast("DecimalMark", found or "point")

    def _order(self, path: str) -> DateOrder | None:
        if self._formats.time_format in DATE_ORDERS:
            return cast("DateOrder", self._formats.time_format)
        found = self._days.winner(path, "dates", _DATE_HINT)
        if found is not None:
            self.said.append(f"dates {found}, by {self._days.example(found)}")
        return cast("DateOrder | None", found)

    def _integer_ids(self) -> frozenset[str]:
        found = [one for one in self._integers if one.answer]
        for one in found:
            self.said.append(f"every {one.field} is a whole number, as {one.answer}")
        return frozenset(one.field for one in found)
