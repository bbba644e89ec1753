"""Tests of the Kafka adapter."""
