-- Append sealed leaves. The sealer computes them; the table accepts only the next indexes, in order.
create or replace function log.append_leaves(
    first_index bigint, positions bigint[], participants uuid[], numbers bigint[], previous bytea[], salts bytea[],
    hashes bytea[]
) returns void
language plpgsql volatile security definer set search_path = log, pg_temp
as $$
begin
    if first_index <> (select coalesce(max(index) + 1, 0) from log.leaf) then
        raise exception 'leaves follow each other' using errcode = 'GT004';
    end if;
    insert into log.leaf
    select first_index + l.n - 1, l.pos, l.participant, l.num, l.prev, l.salt, l.hash
    from unnest(positions, participants, numbers, previous, salts, hashes)
         with ordinality as l(pos, participant, num, prev, salt, hash, n);
end $$;
