"""Play a site's past into it: a year of people's lives, deterministic by seed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Annotated

import typer

from adapters.bootstrap import Parts, database, opened
from adapters.settings import Settings
from adapters.simulation.cast import Clock, set_up
from adapters.simulation.log import played
from adapters.simulation.site import stories
from adapters.simulation.year import Year

YEAR_DAYS = 365
_EACH = 34  # of those whom the site meets, for one case manager: so that late in the year the team is full


def play(parts: Parts, owner_url: str, *, seed: int, participants: int, days: int, end: datetime | None = None) -> Year:
    """Play the site's past into it, up to now, with progress."""
    end = end or datetime.now(UTC).replace(microsecond=0)
    begin = datetime.combine((end - timedelta(days=days)).date(), clock_time(16), tzinfo=UTC)
    clock = Clock(owner_url)
    clock.stand(begin)
    with played(parts, clock) as playing:
        set_up(playing.site, begin.date() - timedelta(days=1), managers=max(0, participants // _EACH - 2))
        year = Year(playing, clock, seed, begin, end)
        for story in stories(year, participants):
            year.tell(story)
        with typer.progressbar(length=days, label="Playing the site's past", show_eta=False) as bar:
            shown = 0
            for at in year.live():
                if (done := (at - begin).days) > shown:
                    bar.update(done - shown)
                    shown = done
            bar.update(days - shown)
    clock.now()
    return year


def simulate(
    data_dir: Annotated[Path, typer.Option("--data-dir", help="Where the simulated site keeps its own PostgreSQL.")],
    seed: Annotated[int, typer.Option(help="The same seed lives the same year.")] = 1,
    participants: Annotated[int, typer.Option(min=1, max=5000, help="How many people the site meets.")] = 300,
    days: Annotated[int, typer.Option(min=30, max=3660, help="How long the site has been at work.")] = YEAR_DAYS,
) -> None:
    """Play a site's year into a database of its own, and say what happened in it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    settings = Settings.of_a_played_site(data_dir)
    begun = time.monotonic()
    with database(settings) as db, opened(db, settings) as parts:
        if parts.site.directory.parties:
            raise FileExistsError(f"{data_dir} holds a site already: name another folder for --data-dir.")
        year = play(parts, db.url, seed=seed, participants=participants, days=days)
        events = parts.log.position()
    for what in sorted(year.acts | year.refusals):
        refused = f"   refused {year.refusals[what]}" if year.refusals[what] else ""
        typer.echo(f"  {what:<28} {year.acts[what]:>6}{refused}")
    typer.echo(
        f"{events} positions of the log in {time.monotonic() - begun:.0f} s. `demo` with this --data-dir serves it."
    )
