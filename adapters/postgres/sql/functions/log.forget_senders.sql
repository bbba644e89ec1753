-- Forget who sent something in public in an hour that is over.
create or replace function log.forget_senders() returns void
language sql volatile security definer set search_path = log, pg_temp
as $$ delete from log.sent where hour <> date_trunc('hour', site.clock()) $$;
