-- Keep how far a worker's clocks have fired. Several workers say so, each of what it has seen: of two sayings neither of
-- which includes the other, the first stands.
create or replace function log.set_fired(topics text[], untils timestamptz[], upto bigint) returns void
language sql volatile security definer set search_path = log, pg_temp
as $$
    insert into log.fired as f (topic, until, position)
    select a.topic, a.until, upto from unnest(topics, untils) as a(topic, until)
    where upto <= (select coalesce(max(notification_id), 0) from log.event)
    order by a.topic -- one order for everybody, so that two workers do not wait for each other
    on conflict (topic) do update set until = excluded.until, position = excluded.position
    where f.until <= excluded.until and f.position <= excluded.position
$$;
