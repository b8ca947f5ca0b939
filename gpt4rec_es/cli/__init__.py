"""The command line: parses, calls one use case, prints. No SQL, no search call, no loop over users."""
