"""Records of lists compared with later purchases: counts of users, and the figures made of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tally:
    """Number of users with the same outcome and numbers of bought items, and of those listed.

    published, popularity, newest_title: items bought that each method lists; None: unknown.
    """

    outcome: str
    n_bought: int
    published: int
    popularity: int
    newest_title: int | None
    n_users: int


@dataclass(frozen=True, slots=True)
class Figure:
    """How often one method lists what users bought; ends of 95 % intervals; None: no user.

    gain: hit rate of the published lists minus that of the method.
    """

    method: str
    n_users: int
    n_hit_users: int
    n_hits: int
    hit_rate_low: float | None = None
    hit_rate_high: float | None = None
    recall: float | None = None
    recall_low: float | None = None
    recall_high: float | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None

    @property
    def hit_rate(self) -> float | None:
        """Fraction of the users that bought a listed item; None: no user."""
        return self.n_hit_users / self.n_users if self.n_users else None
