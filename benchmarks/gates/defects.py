"""All defects: of generators, of data, and of what a night stored."""

from benchmarks.gates.changes import Defect, damage
from benchmarks.gates.data_defects import DATA_DEFECTS
from benchmarks.gates.generator_defects import GENERATOR_DEFECTS

_LISTS = ("lists_resemble_the_published", "bought_items_are_left_out")
_INSERT = "INSERT INTO recommendations (run_no, user_no, rank, item_no, source) "
_DELETE = "DELETE FROM recommendations WHERE run_no = :run"

LIST_DEFECTS = (
    Defect(
        "the same list for everybody",
        ("lists_differ", *_LISTS),
        damage(
            f"{_DELETE};{_INSERT} SELECT :run, user_no, rank, rank, 'history_titles' "
            "FROM user_outcomes CROSS JOIN generate_series(1, 10) AS rank WHERE run_no = :run"
        ),
    ),
    Defect(
        "lists of other users",
        _LISTS,
        damage(
            "CREATE TEMP TABLE shifted AS SELECT r.*, (SELECT min(user_no) FROM run_users AS u "
            "WHERE u.run_no = :run AND u.user_no > r.user_no + 100 * cast(:part AS float8)) "
            f"AS other FROM recommendations AS r WHERE run_no = :run;{_DELETE};{_INSERT}"
            "SELECT run_no, other, rank, item_no, source FROM shifted WHERE other IS NOT NULL"
        ),
    ),
    Defect(
        "item numbers shifted",
        _LISTS,
        damage(
            "UPDATE recommendations SET item_no = -item_no WHERE run_no = :run;"
            "UPDATE recommendations SET item_no = 1 + (-item_no) % (SELECT max(item_no) "
            "FROM items) WHERE run_no = :run"
        ),
    ),
    Defect(
        "bought items in lists",
        ("bought_items_are_left_out",),
        damage(
            "UPDATE recommendations AS r SET item_no = u.newest_item_nos[1] FROM run_users AS u "
            "WHERE u.run_no = :run AND r.run_no = :run AND u.user_no = r.user_no AND r.rank = 1 "
            "AND u.n_bought > 0 AND is_part(r.user_no)"
        ),
    ),
    Defect(
        "lists of the night before",
        _LISTS,
        damage(
            f"{_DELETE};{_INSERT} SELECT :run, user_no, rank, item_no, source "
            "FROM recommendations WHERE run_no = (SELECT run_no FROM publications)"
        ),
    ),
    Defect(
        "lists in reverse order",
        ("lists_are_merged_again",),
        damage(
            "UPDATE recommendations SET rank = -rank WHERE run_no = :run;"
            "UPDATE recommendations AS r SET rank = 1 + l.n + r.rank FROM ("
            "SELECT user_no, count(*) AS n FROM recommendations WHERE run_no = :run "
            "GROUP BY user_no) AS l WHERE r.run_no = :run AND r.user_no = l.user_no"
        ),
    ),
    Defect(
        "NaN scores in lists",
        ("scores_are_numbers",),
        damage(
            "UPDATE recommendations SET fused_score = 'NaN' "
            "WHERE run_no = :run AND is_part(user_no)"
        ),
    ),
    Defect(
        "lost outcomes",
        ("every_user_has_one_outcome",),
        damage("DELETE FROM user_outcomes WHERE run_no = :run AND is_part(user_no)"),
    ),
    Defect(
        "lists cut after the merge",
        ("every_user_has_one_outcome",),
        damage(f"{_DELETE} AND rank > 1 + 8 * cast(:part AS float8)"),
    ),
    Defect(
        "failed users",
        ("few_users_failed",),
        damage(
            "UPDATE user_outcomes SET outcome = 'failed' WHERE run_no = :run AND is_part(user_no)"
        ),
    ),
    Defect(
        "lists by fallbacks for part of the users",
        ("few_fallbacks", "lists_are_full"),
        damage("UPDATE user_outcomes SET n_found = 1 WHERE run_no = :run AND is_part(user_no)"),
    ),
    Defect(
        "a source that found nothing",
        ("every_source_took_part",),
        damage(
            "UPDATE recommendations SET source = 'backfill' "
            "WHERE run_no = :run AND source = 'history_titles'"
        ),
    ),
    Defect(
        "blocked items in lists",
        ("rules_are_kept",),
        damage(
            'UPDATE runs SET manifest = manifest || \'{"rules": {"block_rules": []}}\' '
            "WHERE run_no = :run;"
            "INSERT INTO run_rules SELECT :run, 'rule 1', 'item', 'x', 'recalled', 1, "
            "ARRAY[min(item_no)] FROM recommendations WHERE run_no = :run"
        ),
    ),
    # Small ones, which only one gate can know.
    Defect(
        "one row of one list lost",
        ("every_user_has_one_outcome",),
        damage(f"{_DELETE} AND rank = 5 AND user_no = 7"),
    ),
    Defect(
        "2 % of users failed",
        ("few_users_failed",),
        damage(
            "UPDATE user_outcomes SET outcome = 'failed' WHERE run_no = :run AND user_no % 50 = 7"
        ),
    ),
    Defect(
        "one item that is not in the index",
        ("items_exist_and_are_active",),
        damage(
            "INSERT INTO items (item_id, version) VALUES ('gone', 1);"
            "UPDATE recommendations SET item_no = (SELECT max(item_no) FROM items) "
            "WHERE run_no = :run AND user_no = 7 AND rank = 5"
        ),
    ),
    Defect(
        "a bought item in one list",
        ("bought_items_are_left_out",),
        damage(
            "UPDATE recommendations SET item_no = (SELECT min(item_no) FROM interactions "
            "WHERE user_no = 7) WHERE run_no = :run AND user_no = 7 AND rank = 5"
        ),
    ),
    Defect(
        "short lists of 5 % of users",
        ("lists_are_full",),
        damage(
            "UPDATE user_outcomes SET n_found = 8, short_reason = 'exhausted_queries' "
            "WHERE run_no = :run AND user_no % 20 = 7"
        ),
    ),
    Defect(
        "other items for everybody",
        ("lists_resemble_the_published",),
        damage(
            "UPDATE recommendations SET item_no = -1 - (item_no + 479) % 960 WHERE run_no = :run "
            "AND user_no NOT IN (SELECT r.user_no FROM recommendations AS r JOIN interactions "
            "AS i ON i.user_no = r.user_no AND i.item_no = 1 + (r.item_no + 479) % 960 "
            "WHERE r.run_no = :run);"
            "UPDATE recommendations SET item_no = abs(item_no) WHERE run_no = :run"
        ),
    ),
    Defect(
        "a date before the published one",
        ("is_newer_than_published",),
        damage("UPDATE runs SET logical_date = '2025-01-01' WHERE run_no = :run"),
    ),
)
DEFECTS: tuple[Defect, ...] = (*GENERATOR_DEFECTS, *DATA_DEFECTS, *LIST_DEFECTS)
