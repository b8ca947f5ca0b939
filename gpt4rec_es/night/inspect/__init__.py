"""How a run stands and why a list is as it is."""
