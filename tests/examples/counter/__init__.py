"""A replicated counter that forgets what it had acknowledged."""
