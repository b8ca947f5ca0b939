"""Whether users bought what nights listed: measured after imports, kept for pruned runs."""
