"""The night: plan, ledger, stages, gates, publishing."""
