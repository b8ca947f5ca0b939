"""The Elasticsearch client, index names and similarity settings."""
