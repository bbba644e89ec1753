"""Go on with a partition that was stopped, once a person has looked why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer
from kafka import TopicPartition
from kafka.errors import KafkaError

from adapters.bootstrap import database, opened
from adapters.kafka.gateway import Broker
from adapters.settings import Settings
from services.ports import Partition

_ANSWER_MILLISECONDS: Final = 5000


class Holds(NamedTuple):
    """What the broker holds of a partition: offsets from `first` up to, and without, `end`."""

    topic_id: str
    first: int
    end: int


def holds(settings: Settings, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Holds] | None:
    """Return what the broker holds of these partitions, as far as it has them; None if it does not answer."""
    broker = Broker(settings.kafka or "", settings.kafka_options() | {"bootstrap_timeout_ms": _ANSWER_MILLISECONDS})
    try:
        with broker.admin() as admin:
            topics = {topic["name"]: topic for topic in admin.describe_topics()}
        there = [
            TopicPartition(topic, number)
            for topic, number in places
            if topic in topics and number in {each["partition_index"] for each in topics[topic]["partitions"]}
        ]
        with broker.consumer() as consumer:
            first, end = consumer.beginning_offsets(there), consumer.end_offsets(there)
    except KafkaError:
        return None
    return {(p.topic, p.partition): Holds(str(topics[p.topic]["topic_id"]), first[p], end[p]) for p in there}


def resume(
    topic: Annotated[str, typer.Argument(help="The topic, as `doctor` names it.", show_default=False)],
    partition: Annotated[int, typer.Argument(help="The partition's number.", min=0, show_default=False)],
    offset: Annotated[
        int | None, typer.Option(help="The first offset to be taken; left out: only say what there is.", min=0)
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Where the site keeps its own PostgreSQL.")
    ] = None,
) -> None:
    """Go on with a partition that was stopped; say what that gives up, and what will be read again.

    Exit status 0 when it goes on, within seconds where the gateway runs; 2 when it does not.
    """
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    with database(settings) as db, opened(db, settings) as parts:
        stream = parts.site.stream
        left = next((p for p in stream.health().partitions if (p.topic, p.number) == (topic, partition)), None)
        if left is None:
            raise _fail(f"nothing was ever taken of {topic}/{partition}: see `goldenthread doctor`.")
        if left.stopped is None:
            raise _fail(f"{topic}/{partition} is not stopped: there is nothing to go on with.")
        if settings.kafka is None:
            raise _fail("name the broker in GOLDENTHREAD_KAFKA, such as kafka.example:9093.")
        found = holds(settings, [(topic, partition)])
        if found is None:
            raise _fail("the broker does not answer: nothing was changed.")
        held = found.get((topic, partition))
        if held is None:
            raise _fail("the broker has no such topic: nothing was changed. It goes on once there is one.")
        typer.echo(f"stopped: {left.stopped}. It was taken up to offset {left.next_offset}, and not beyond.")
        typer.echo(f"The broker holds offsets {held.first} to {held.end}, the last one not included.")
        if offset is None:
            raise _fail(f"nothing was changed: say where to go on. --offset {held.first} takes all that there is.")
        if not held.first <= offset <= held.end:
            raise _fail(f"nothing was changed: the offset must lie between {held.first} and {held.end}.")
        stream.resume(topic, partition, held.topic_id, offset)
        for line in _said(left, held, offset):
            typer.echo(line)
        typer.echo(f"{topic}/{partition} goes on at offset {offset}.")


def _said(left: Partition, held: Holds, offset: int) -> Iterator[str]:
    """Yield what is given up by going on at an offset, and what is read again."""
    taken = left.next_offset
    if held.topic_id != left.topic_id:
        yield f"It is another topic: what the former one held from offset {taken} on is lost, unless it is sent again."
        if offset > held.first:
            yield f"Given up: offsets {held.first} to {offset - 1} of the topic that there is now."
    elif offset > taken:
        yield f"Given up: offsets {taken} to {offset - 1}, unless they are sent again."
    elif offset < taken:
        yield f"Read again: offsets {offset} to {min(taken, held.end) - 1}. What was taken of them is not taken twice."


def _fail(sentence: str) -> typer.Exit:
    typer.echo(f"goldenthread: {sentence}", err=True)
    return typer.Exit(2)
