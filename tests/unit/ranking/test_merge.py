"""Small merges with known lists."""

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.ranking.merge import merge_hits
from gpt4rec_es.ranking.outcome import Merge, Pick, QueryHits, Removed
from gpt4rec_es.records import SearchResult, Source


def found(*item_nos: int, exhausted: bool = True) -> SearchResult:
    scores = tuple(100.0 - place for place in range(len(item_nos)))
    return SearchResult(item_nos, scores, exhausted)


EMPTY = SearchResult((), (), exhausted=True, is_empty_query=True)


def queries(*results: SearchResult) -> list[QueryHits]:
    return [QueryHits(rank, result) for rank, result in enumerate(results, start=1)]


def items(merge: Merge) -> list[int]:
    return [pick.item_no for pick in merge.picks]


def sources(merge: Merge) -> str:
    letters = {
        Source.QUERIES: "q",
        Source.BACKFILL: "b",
        Source.LAST_TITLE: "t",
        Source.POPULAR: "p",
    }
    return "".join(letters[pick.source] for pick in merge.picks)


class TestQuotas:
    def test_remainder_goes_to_the_first_queries(self) -> None:
        merge = merge_hits(
            queries(found(11, 12, 13, 14), found(21, 22, 23, 24), found(31, 32, 33, 34)), 5
        )
        assert items(merge) == [11, 12, 21, 22, 31]
        assert sources(merge) == "qqqqq"
        assert (merge.n_found, merge.n_queries, merge.short_reason) == (5, 3, None)
        assert merge.is_complete

    def test_even_division(self) -> None:
        assert items(merge_hits(queries(found(1, 2, 3), found(4, 5, 6)), 4)) == [1, 2, 4, 5]

    def test_one_query_takes_all(self) -> None:
        assert items(merge_hits(queries(found(3, 1, 2, 9)), 3)) == [3, 1, 2]

    def test_more_queries_than_places_the_first_k_take_one_each(self) -> None:
        merge = merge_hits(queries(found(1, 9), found(2, 9), found(3, 9), found(4, 9)), 2)
        assert items(merge) == [1, 2]

    def test_item_taken_by_a_better_query_is_replaced_deeper_in_the_same_query(self) -> None:
        merge = merge_hits(queries(found(1, 2, 3), found(2, 1, 5, 6), found(1, 5, 6, 7)), 6)
        assert items(merge) == [1, 2, 5, 6, 7, 3]
        assert sources(merge) == "qqqqqb"

    def test_duplicate_queries_share_one_list(self) -> None:
        same = found(1, 2, 3, 4, 5)
        merge = merge_hits(queries(same, same), 4)
        assert [(pick.item_no, pick.query_rank, pick.hit_rank) for pick in merge.picks] == [
            (1, 1, 1),
            (2, 1, 2),
            (3, 2, 3),
            (4, 2, 4),
        ]

    def test_bought_items_are_passed_over(self) -> None:
        merge = merge_hits(queries(found(1, 2, 3), found(4, 5, 6)), 2, bought={1, 4, 5})
        assert items(merge) == [2, 6]

    def test_query_without_tokens_takes_no_quota(self) -> None:
        merge = merge_hits(queries(found(1, 2, 3), EMPTY, found(4, 5, 6)), 4)
        assert [(pick.item_no, pick.query_rank) for pick in merge.picks] == [
            (1, 1),
            (2, 1),
            (4, 3),
            (5, 3),
        ]
        assert merge.n_queries == 2

    def test_rows_name_query_hit_rank_and_score(self) -> None:
        merge = merge_hits(queries(found(8, 7), found(8, 6)), 2)
        assert merge.picks == (
            Pick(8, Source.QUERIES, 1, 1, 100.0),
            Pick(6, Source.QUERIES, 2, 2, 99.0),
        )


class TestBackfill:
    def test_rest_of_a_dry_query_goes_round_the_others_in_order(self) -> None:
        merge = merge_hits(
            queries(found(1), found(2, 3, 4, 5, 6, 7), found(8, 9, 10, 11, 12, 13)), 9
        )
        # quotas 3, 3, 3; the first has one item, so two places are open
        assert items(merge) == [1, 2, 3, 4, 8, 9, 10, 5, 11]
        assert sources(merge) == "qqqqqqqbb"

    def test_rounds_go_on_until_all_are_dry(self) -> None:
        merge = merge_hits(queries(found(1), found(2, 3, 4, 5)), 8)
        assert items(merge) == [1, 2, 3, 4, 5]
        assert sources(merge) == "qqqqq"
        assert merge.short_reason == "exhausted_queries"

    def test_queries_beyond_the_first_k_backfill_too(self) -> None:
        merge = merge_hits(queries(found(1), found(1), found(1, 2)), 2)
        assert items(merge) == [1, 2]
        assert sources(merge) == "qb"

    def test_a_dry_query_is_left_out_of_later_rounds(self) -> None:
        merge = merge_hits(queries(found(1), found(1), found(2, 3, 4, 5)), 5)
        # quotas 2, 2, 1: only the third has more
        assert items(merge) == [1, 2, 3, 4, 5]
        assert sources(merge) == "qqbbb"


class TestFallbacks:
    def test_last_title_then_popular(self) -> None:
        merge = merge_hits(
            queries(found(1)), 5, bought={7}, last_title=found(7, 1, 2), popular=[2, 7, 3, 4, 5]
        )
        assert items(merge) == [1, 2, 3, 4, 5]
        assert sources(merge) == "qtppp"
        assert (merge.n_found, merge.short_reason) == (1, "exhausted_queries")
        assert merge.picks[1] == Pick(2, Source.LAST_TITLE, None, 3, 98.0)
        assert merge.picks[2] == Pick(3, Source.POPULAR)

    def test_not_used_when_queries_fill_the_list(self) -> None:
        merge = merge_hits(queries(found(1, 2)), 2, last_title=found(3), popular=[4])
        assert items(merge) == [1, 2]

    def test_no_queries(self) -> None:
        merge = merge_hits([], 2, popular=[4, 5, 6])
        assert (items(merge), sources(merge)) == ([4, 5], "pp")
        assert (merge.n_found, merge.n_queries, merge.short_reason) == (0, 0, "no_queries")

    def test_all_queries_without_tokens(self) -> None:
        merge = merge_hits(queries(EMPTY, EMPTY), 1, last_title=found(9))
        assert (items(merge), sources(merge)) == ([9], "t")
        assert (merge.n_queries, merge.short_reason) == (0, "empty_queries")

    def test_queries_without_hits(self) -> None:
        merge = merge_hits(queries(found(), EMPTY), 1)
        assert merge.picks == ()
        assert (merge.n_queries, merge.short_reason) == (1, "no_hits")

    def test_bought_everything(self) -> None:
        merge = merge_hits(
            queries(found(1, 2), found(2, 3)), 3, {1, 2, 3}, last_title=found(3), popular=[1]
        )
        assert merge.picks == ()
        assert merge.is_complete
        assert (merge.n_found, merge.short_reason) == (0, "all_bought")


class TestDeeper:
    def test_query_that_ends_within_its_quota(self) -> None:
        merge = merge_hits(queries(found(1, exhausted=False), found(2, 3, exhausted=False)), 4)
        assert merge.needs_deeper == (1,)
        assert not merge.is_complete
        assert merge.picks == ()

    def test_full_list_asks_for_nothing_though_hits_end(self) -> None:
        merge = merge_hits(queries(found(1, exhausted=False), found(2, exhausted=False)), 2)
        assert merge.is_complete
        assert items(merge) == [1, 2]

    def test_query_that_ends_in_the_backfill(self) -> None:
        merge = merge_hits(queries(found(1), found(2, 3, exhausted=False)), 4)
        assert merge.needs_deeper == (2,)

    def test_only_as_many_as_places_are_open_can_be_asked(self) -> None:
        # Quotas 1, 1, 1; one place is open, and the second query may fill it: the third is not
        # needed.
        merge = merge_hits(
            queries(found(), found(2, exhausted=False), found(3, exhausted=False)), 3
        )
        assert merge.needs_deeper == (2,)

    def test_every_query_whose_turn_comes_anyway_is_asked_at_once(self) -> None:
        # Quotas 2, 1, 1 with two places open: the second and the third query fill one each.
        merge = merge_hits(
            queries(found(), found(2, exhausted=False), found(3, exhausted=False)), 4
        )
        assert merge.needs_deeper == (2, 3)

    def test_fallbacks_wait_for_the_queries(self) -> None:
        merge = merge_hits(
            queries(found(exhausted=False)), 1, last_title=found(exhausted=False), popular=[1]
        )
        assert (merge.needs_deeper, merge.needs_deeper_last_title) == ((1,), False)

    def test_last_title_that_ends(self) -> None:
        merge = merge_hits(queries(found()), 1, {5}, last_title=found(5, exhausted=False))
        assert (merge.needs_deeper, merge.needs_deeper_last_title) == ((), True)
        assert not merge.is_complete
        assert merge.picks == ()


class TestRemoved:
    def test_says_what_was_passed_over_and_why(self) -> None:
        merge = merge_hits(
            queries(found(1, 2), found(7, 1, 3), EMPTY),
            4,
            bought={7},
            last_title=found(3, 4),
            keep_removed=True,
        )
        assert items(merge) == [1, 2, 3, 4]
        assert merge.removed == (
            Removed(2, 1, 7, "bought"),
            Removed(2, 2, 1, "already taken"),
            Removed(None, 1, 3, "already taken"),
        )

    def test_is_left_out_unless_asked_for(self) -> None:
        assert merge_hits(queries(found(7, 1)), 1, bought={7}).removed == ()


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_1_is_refused(k: int) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        merge_hits(queries(found(1)), k)
