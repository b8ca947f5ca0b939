"""BM25 in this process, equal to the server's: for grids, evaluations and replays."""
