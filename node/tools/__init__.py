"""What operators do with the database of a node that is stopped; `pocl` has a command for each (node/cli/)."""
