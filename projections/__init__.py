"""What each reader may know: pure functions from a participant's history to rows and trace. Knows domain only."""
