-- The broker has these.
create or replace function stream.acknowledged(ids bigint[]) returns void
language sql volatile security definer set search_path = stream, pg_temp
as $$ delete from stream.acknowledgement where id = any(ids) $$;
