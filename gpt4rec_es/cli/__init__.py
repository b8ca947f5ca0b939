"""The command line: parses, calls one use case, prints. No SQL, no search, no loop over users."""
