"""trio's own tests, as they are installed, in a patched program."""
