"""The stream: what agencies publish, and what is published to them."""
