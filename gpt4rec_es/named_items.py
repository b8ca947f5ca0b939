"""Names of many items in little memory."""

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping


class NamedItems(Mapping[int, str]):
    """Item number -> name, in four bytes per item of the catalog.

    A rule may exclude most of a catalog, which a dict holds in a hundred bytes per item.
    """

    def __init__(self, groups: Iterable[tuple[str, Collection[int]]]) -> None:
        """Set groups of (name, item numbers); an item of several has the last name."""
        self._names: list[str] = []
        self._places = array("I")
        for name, item_nos in groups:
            self._names.append(name)
            lacking = max(item_nos, default=-1) + 1 - len(self._places)
            if lacking > 0:
                self._places.frombytes(bytes(self._places.itemsize * lacking))
            for item_no in item_nos:
                self._places[item_no] = len(self._names)

    def __getitem__(self, item_no: int) -> str:
        """Return the name of the item."""
        if 0 <= item_no < len(self._places) and (place := self._places[item_no]):
            return self._names[place - 1]
        raise KeyError(item_no)

    def __iter__(self) -> Iterator[int]:
        """Yield the item numbers that have a name, in order."""
        return (item_no for item_no, place in enumerate(self._places) if place)

    def __len__(self) -> int:
        """Return the number of items that have a name."""
        return sum(1 for place in self._places if place)
