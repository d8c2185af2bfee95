"""The gate: nothing leaves that would let anyone work out a small group of children."""
