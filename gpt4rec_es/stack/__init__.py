"""Local Postgres, Elasticsearch and broker for laptops and tests."""
