"""Votes of a file's values between two ways to read them.

A value that only one reading allows is a vote. The winner needs almost all of the votes; a file
without votes whose values can be read in both ways is refused.
"""

from collections import Counter

from gpt4rec_es.errors import UsageError
from gpt4rec_es.feeds.batches import shown

# Votes that settle a question without reading the rest of the file.
_ENOUGH = 1000


class Ballot:
    """Votes between two ``choices``, with the first value of each vote and its line."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices
        self.votes: Counter[str] = Counter()
        self._first: dict[str, tuple[str, int]] = {}

    def add(self, vote: str | None, text: str, line: int) -> None:
        """Count a vote: one of the choices, "either", or None where both say the same."""
        if vote is not None:
            self.votes[vote] += 1
            self._first.setdefault(vote, (text, line))

    @property
    def is_settled(self) -> bool:
        """Return whether further votes are not needed."""
        return max(self.votes[one] for one in self.choices) >= _ENOUGH

    def winner(self, path: str, what: str, hint: str, most_against: float = 0.01) -> str | None:
        """Return the choice that won, or None if it does not matter for this file.

        ``most_against`` is the largest fraction of votes for the other choice.

        Raises:
            UsageError: the file votes for both, or leaves open how to read it.
        """
        most, least = sorted(self.choices, key=lambda one: -self.votes[one])
        if self.votes[least] > most_against * (self.votes[most] + self.votes[least]):
            first, second = (self.example(one) for one in self.choices)
            raise UsageError(f"{path} writes {what} in two ways: {first} and {second}.", hint)
        if self.votes[most]:
            return most
        if self.votes["either"]:
            reason = f"{path} leaves open how to read {what}: {self.example('either')}."
            raise UsageError(reason, hint)
        return None

    def example(self, vote: str) -> str:
        """Return the first value with this vote, and its line."""
        text, line = self._first[vote]
        return f"{shown(text)} in line {line:,}"
