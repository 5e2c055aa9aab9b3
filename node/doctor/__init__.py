"""What a node needs, looked at from outside: `pocl doctor`. Nothing is changed, and nothing is made."""
