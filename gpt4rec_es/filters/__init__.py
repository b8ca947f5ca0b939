"""Pure checks of query texts: forbidden phrases and foreign scripts."""
