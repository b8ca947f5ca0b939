"""In-process BM25, equal to Elasticsearch's: for grids, evaluations and replays."""
