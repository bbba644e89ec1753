-- The relay has beaten: with success, or with this kind of failure.
create or replace function stream.beaten(of_failure text) returns void
language sql volatile security definer set search_path = stream, pg_temp
as $$
    insert into stream.beat as b (beat_at, failure, failing_since)
    values (site.clock(), of_failure, case when of_failure is not null then site.clock() end)
    on conflict (one) do update set beat_at = excluded.beat_at, failure = excluded.failure,
        failing_since = case when excluded.failure is not null then coalesce(b.failing_since, excluded.failing_since) end
$$;
