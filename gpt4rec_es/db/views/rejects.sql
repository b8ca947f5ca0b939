CREATE VIEW analytics.rejects (
    import_id, import_kind, import_state, import_started_at, file_name, line_number, reason_code,
    reason, excerpt
) AS
SELECT
    i.import_no, i.kind, i.state, i.started_at, r.file, r.line, r.reason_code,
    CASE WHEN i.kind <> 'items' AND EXISTS
        (SELECT FROM public.privacy AS p WHERE p.has_pseudonyms)
        THEN '(hidden)' ELSE r.reason END,
    CASE WHEN i.kind <> 'items' AND EXISTS
        (SELECT FROM public.privacy AS p WHERE p.has_pseudonyms)
        THEN '(hidden)' ELSE r.excerpt END
FROM public.import_rejects AS r
JOIN public.imports AS i USING (import_no);

COMMENT ON VIEW analytics.rejects IS 'One row per record that an import rejected.';
COMMENT ON COLUMN analytics.rejects.import_id IS 'number of the import';
COMMENT ON COLUMN analytics.rejects.import_kind IS
    'what was imported: items, interactions or users';
COMMENT ON COLUMN analytics.rejects.import_state IS
    'state of the import: running, done, or failed (then it changed nothing)';
COMMENT ON COLUMN analytics.rejects.import_started_at IS 'start of the import';
COMMENT ON COLUMN analytics.rejects.file_name IS 'name of the file with the record';
COMMENT ON COLUMN analytics.rejects.line_number IS
    '1-based line (Parquet: row) where the record starts; NULL: unknown';
COMMENT ON COLUMN analytics.rejects.reason_code IS 'short code of the reason, for GROUP BY';
COMMENT ON COLUMN analytics.rejects.reason IS 'description of the error in the record';
COMMENT ON COLUMN analytics.rejects.excerpt IS
    'first 200 bytes of the record, control characters escaped';
