"""A site's year as people live it, through the same commands and questions as theirs."""
