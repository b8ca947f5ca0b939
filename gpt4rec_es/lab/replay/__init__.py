"""Replay: merge a retained night again with other settings, and compare lists."""
