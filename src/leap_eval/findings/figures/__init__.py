"""Figures drawn from released tables alone."""
