"""A pool of HTTP connections that gives out one which the server has just closed."""
