"""Local calendar days: a deadline is the end of a day where the site is, not a number of elapsed hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the last second of a local calendar day, as aware UTC: 23:59:59 there."""
    return datetime.combine(day, time(23, 59, 59), tzinfo=zone).astimezone(UTC)


def days_after(moment: datetime, days: int, zone: ZoneInfo) -> date:
    """Return the local calendar day that lies `days` days after the local day of `moment`."""
    return moment.astimezone(zone).date() + timedelta(days=days)
