"""The door for data: check against the agreement, de-identify in memory, file, receipt, destroy."""
