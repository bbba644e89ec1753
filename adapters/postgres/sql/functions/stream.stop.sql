-- Nobody goes on with this partition until a person has said how.
create or replace function stream.stop(of_topic text, of_number integer, why text) returns void
language sql volatile security definer set search_path = stream, pg_temp
as $$
    update stream.partition set stopped = why, owner_epoch = owner_epoch + 1 where topic = of_topic and number = of_number
$$;
