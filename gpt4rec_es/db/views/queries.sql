CREATE VIEW analytics.queries (
    query_id, query, query_words, first_written_at
) AS
SELECT
    query_no, text, to_tsvector('simple'::regconfig, text), created_at
FROM public.queries;

COMMENT ON VIEW analytics.queries IS
    'One row per distinct query text that is kept: of a kept run, or of a date''s sums.';
COMMENT ON COLUMN analytics.queries.query_id IS
    'number of the query text, the same in every view and run';
COMMENT ON COLUMN analytics.queries.query IS 'the query text: what the user would type next';
COMMENT ON COLUMN analytics.queries.query_words IS
    'its words, to be searched: WHERE query_words @@ websearch_to_tsquery(''simple'', ''red '
    'lamp'')';
COMMENT ON COLUMN analytics.queries.first_written_at IS 'time it was first needed';
