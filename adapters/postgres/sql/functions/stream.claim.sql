-- Take over a partition: whoever held it before is fenced from now on. Of another topic of the same name (the broker's
-- id of it differs) nothing is claimed, and the partition stops until a person has said how to go on.
create or replace function stream.claim(
    of_topic text, of_number integer, of_id text, out next_offset bigint, out last_record bytea, out owner_epoch bigint,
    out stopped text
)
language plpgsql volatile security definer set search_path = stream, pg_temp
as $$
begin
    insert into stream.partition as p (topic, number, topic_id, taken_at)
    values (of_topic, of_number, of_id, site.clock())
    on conflict (topic, number) do update set owner_epoch = p.owner_epoch + 1,
        stopped = coalesce(p.stopped, case when p.topic_id <> excluded.topic_id then 'another topic of this name' end)
    returning p.next_offset, p.last_record, p.owner_epoch, p.stopped
    into claim.next_offset, claim.last_record, claim.owner_epoch, claim.stopped;
end $$;
