"""Police records, jail, prosecutor and court systems, by stream."""
