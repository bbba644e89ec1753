-- Keep rows of a file that could not be taken; return how many of them were not kept already.
create or replace function log.set_aside(
    loaded_from text, row_numbers bigint[], fields text[], reasons text[], sha256s bytea[]
) returns bigint
language sql volatile security definer set search_path = log, pg_temp
as $$
    with added as (
        insert into log.set_aside (source, row_number, field, reason, row_sha256, recorded_at)
        select loaded_from, r.number, r.field, r.reason, r.sha256, site.clock()
        from unnest(row_numbers, fields, reasons, sha256s) as r(number, field, reason, sha256)
        order by r.sha256, r.number -- one order for everybody, so that two loads at once do not wait for each other
        on conflict do nothing
        returning 1
    )
    select count(*) from added
$$;
