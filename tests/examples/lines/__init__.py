r"""A reader of lines that takes a `\r\n` in two pieces for two ends of lines."""
