#!/bin/sh
# Run once by the Postgres image of compose.yaml, before the first migration: makes the three logins.
set -eu
psql --set ON_ERROR_STOP=1 --username postgres --dbname gpt4rec \
  --set owner="$OWNER_PASSWORD" --set writer="$WRITER_PASSWORD" --set analyst="$ANALYST_PASSWORD" <<'SQL'
CREATE ROLE gpt4rec_owner LOGIN PASSWORD :'owner';
CREATE ROLE gpt4rec_writer LOGIN PASSWORD :'writer';
CREATE ROLE gpt4rec_analyst LOGIN PASSWORD :'analyst' CONNECTION LIMIT 20;
ALTER ROLE gpt4rec_analyst SET search_path = analytics;
ALTER ROLE gpt4rec_analyst SET statement_timeout = '5min';
ALTER ROLE gpt4rec_analyst SET default_transaction_read_only = on;
ALTER DATABASE gpt4rec OWNER TO gpt4rec_owner;
SQL
