"""A lock server with leases, and a client whose clock is slower than the server's."""
