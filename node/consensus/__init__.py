"""Agreement: the sans-I/O Simplex core, its log, and the driver: its network, its disk, its clock."""
