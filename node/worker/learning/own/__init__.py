"""Own data: each miner's folder in one of the formats of node/task_inputs.py, read into the task's records.

Files are read in the order of their names and what is in them is checked against the task: the first thing that does
not fit is one line that names file, row or picture, and column, says what it is and what it may be. Nothing is
unpickled, and no more than MAX_BYTES of records are taken in, whatever a file says or holds.
"""
