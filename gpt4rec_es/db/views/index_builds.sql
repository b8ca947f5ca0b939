CREATE VIEW analytics.index_builds (
    index_name, alias, build_kind, parent_index_name, build_state,
    is_live,
    catalog_version, document_count, k1, b, build_actor, build_reason, build_started_at, ready_at,
    index_deleted_at, build_error, encoder_name, field_bm25
) AS
SELECT
    b.index_name, b.alias, b.kind, parent.index_name, b.state,
    b.state = 'ready' AND b.build_no IS NOT DISTINCT FROM (
        SELECT s.to_build_no FROM public.alias_swaps AS s WHERE s.alias = b.alias
        ORDER BY s.swap_no DESC LIMIT 1),
    b.catalog_version, b.document_count, b.k1, b.b, b.actor, b.reason, b.created_at, b.ready_at,
    b.deleted_at, b.error, encoder.name, b.field_bm25
FROM public.builds AS b
LEFT JOIN public.builds AS parent ON parent.build_no = b.parent_build_no
LEFT JOIN public.encoders AS encoder ON encoder.encoder_no = b.encoder_no;

COMMENT ON VIEW analytics.index_builds IS
    'One row per index build. A ready build never changes: other k1 or b make another build.';
COMMENT ON COLUMN analytics.index_builds.index_name IS 'name of the Elasticsearch index';
COMMENT ON COLUMN analytics.index_builds.alias IS
    'Elasticsearch alias that the index was built for';
COMMENT ON COLUMN analytics.index_builds.build_kind IS
    'full (from the catalog) or derived (a clone with other k1, b or synonyms)';
COMMENT ON COLUMN analytics.index_builds.parent_index_name IS
    'name of the index that a derived build was cloned from; NULL: the build is full';
COMMENT ON COLUMN analytics.index_builds.build_state IS 'building, ready, failed or deleted';
COMMENT ON COLUMN analytics.index_builds.is_live IS 'whether the alias points to this index now';
COMMENT ON COLUMN analytics.index_builds.catalog_version IS
    'catalog version whose items the index holds';
COMMENT ON COLUMN analytics.index_builds.document_count IS
    'number of documents in the index; NULL: not verified';
COMMENT ON COLUMN analytics.index_builds.k1 IS 'BM25 k1, term frequency saturation, >= 0';
COMMENT ON COLUMN analytics.index_builds.b IS 'BM25 b, length normalisation, 0 to 1';
COMMENT ON COLUMN analytics.index_builds.build_actor IS
    'operator that started the build (login name)';
COMMENT ON COLUMN analytics.index_builds.build_reason IS
    'reason that the operator gave; NULL: none';
COMMENT ON COLUMN analytics.index_builds.build_started_at IS 'start of the build';
COMMENT ON COLUMN analytics.index_builds.ready_at IS
    'time the index was verified; NULL: it was not';
COMMENT ON COLUMN analytics.index_builds.index_deleted_at IS
    'time the index was deleted; NULL: it was not';
COMMENT ON COLUMN analytics.index_builds.build_error IS
    'error message of a failed build; NULL: it did not fail';
COMMENT ON COLUMN analytics.index_builds.encoder_name IS
    'encoder whose vectors of titles the index holds, for kNN; NULL: it holds none';
COMMENT ON COLUMN analytics.index_builds.field_bm25 IS
    'JSON: [k1, b] by field searched beside the title; NULL: all have 1.2 and 0.75';
