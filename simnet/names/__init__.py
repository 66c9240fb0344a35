"""Names: what resolves to what on a host, and the errors of what does not."""
