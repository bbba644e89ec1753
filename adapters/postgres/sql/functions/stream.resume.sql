-- A person has said how to go on with a partition that stopped: at this offset of the topic that the broker has now.
create or replace function stream.resume(of_topic text, of_number integer, of_id text, at_offset bigint) returns void
language sql volatile security definer set search_path = stream, pg_temp
as $$
    update stream.partition
    set topic_id = of_id, next_offset = at_offset, last_record = null, stopped = null, owner_epoch = owner_epoch + 1
    where topic = of_topic and number = of_number
$$;
