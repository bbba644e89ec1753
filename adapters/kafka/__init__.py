"""The stream: agencies' own systems over Kafka."""
