"""What LEAD is: labels, parties, ROI, referral, participant, legal case, protocol. Pure: no I/O, no clock."""
