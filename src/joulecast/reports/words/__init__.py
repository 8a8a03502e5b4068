"""Names and sentences that reports share."""
