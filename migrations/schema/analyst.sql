-- Defaults of the analyst role. An analyst can override the three settings by SET; the limits that
-- hold are the grants and the number of connections. Values set by an administrator are kept.
DO $analyst$
DECLARE
    setting text;
BEGIN
    IF (SELECT rolconnlimit FROM pg_roles WHERE rolname = 'gpt4rec_analyst') = -1 THEN
        ALTER ROLE gpt4rec_analyst CONNECTION LIMIT 10;
    END IF;
    FOREACH setting IN ARRAY ARRAY[
        'search_path = analytics', 'statement_timeout = ''5min''',
        'default_transaction_read_only = on'] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_roles CROSS JOIN unnest(rolconfig) AS given
            WHERE rolname = 'gpt4rec_analyst'
            AND split_part(given, '=', 1) = split_part(setting, ' ', 1))
        THEN
            EXECUTE 'ALTER ROLE gpt4rec_analyst SET ' || setting;
        END IF;
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'gpt4rec_analyst keeps its limits: this user may not alter it';
END
$analyst$;
