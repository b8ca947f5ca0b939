"""Index builds: create, verify, clone, swap, prune."""
