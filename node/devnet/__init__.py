"""A whole network on this machine: real nodes and workers as processes, watched over gRPC.

- processes.py starts and stops one node's process;
- remote.py asks a node over gRPC;
- observer.py follows the chain and gathers what the summary needs;
- display.py shows it live; summary.py is the JSON that programs read;
- runner.py is the whole run, in order.
"""
