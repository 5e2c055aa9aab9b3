"""Own data: every format, good and bad."""
