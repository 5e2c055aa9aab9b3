"""Agreement: the sans-I/O Simplex core, its log, and the driver that gives it a network, a disk and a clock."""
