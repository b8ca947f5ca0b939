"""Index builds: make, verify, derive, swap, prune."""
