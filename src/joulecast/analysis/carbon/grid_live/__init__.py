"""Carbon intensity from the providers' servers: only when the user asks, with the user's key."""
