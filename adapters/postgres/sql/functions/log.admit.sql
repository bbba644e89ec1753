-- Count something sent in public; say whether the sender has not sent its share this hour, nor all of them the most.
create or replace function log.admit(sent_by bytea, share integer, most integer) returns boolean
language plpgsql volatile security definer set search_path = log, pg_temp
as $$
begin
    lock table log.sent in exclusive mode; -- one after the other: the counts are exact
    perform log.forget_senders();
    if exists (select from log.sent s where (s.sender = sent_by and s.times >= share) or (s.sender = '' and s.times >= most))
    then
        return false;
    end if;
    insert into log.sent as s (sender, hour, times)
    select sender, date_trunc('hour', site.clock()), 1 from unnest(array[sent_by, ''::bytea]) as sender
    on conflict (sender) do update set times = s.times + 1;
    return true;
end $$;
