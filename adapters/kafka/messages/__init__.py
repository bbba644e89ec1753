"""What the messages hold: closed models, names of NIEM 6 without their prefix, codes of NIBRS."""
