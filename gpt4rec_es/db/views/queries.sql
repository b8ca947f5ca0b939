CREATE VIEW analytics.queries (
    query_id, query, query_words, first_written_at
) AS
SELECT
    query_no, text, to_tsvector('simple'::regconfig, text), created_at
FROM public.queries;

COMMENT ON VIEW analytics.queries IS
    'One row per distinct query text that is stored for a kept run or for the daily_ views.';
COMMENT ON COLUMN analytics.queries.query_id IS
    'number of the query text, the same in all views and runs';
COMMENT ON COLUMN analytics.queries.query IS
    'query text: the search that the user is predicted to type next';
COMMENT ON COLUMN analytics.queries.query_words IS
    'words of the query text, indexed: WHERE query_words @@ websearch_to_tsquery(''simple'', '
    '''red lamp'')';
COMMENT ON COLUMN analytics.queries.first_written_at IS 'time the query text was first stored';
