"""Tests of the PostgreSQL adapter."""
