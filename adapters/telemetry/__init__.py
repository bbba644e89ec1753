"""Spans, never content."""
