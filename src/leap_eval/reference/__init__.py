"""Code lists, instruments, places and words that every part shares."""
