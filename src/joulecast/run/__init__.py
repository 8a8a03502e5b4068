"""A run under watch: where meters, recording, ledger and forecast are put together."""
