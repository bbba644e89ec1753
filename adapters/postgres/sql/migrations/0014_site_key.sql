-- A site key may be replaced: each wrapped key says which one wrapped it, and by which algorithm. Null: before they had
-- names. One site key is in use at a time; the keys themselves lie elsewhere.
alter table log.key add column wrapped_by text;
create table log.site_key (
    name text not null,
    since timestamptz not null,
    one boolean primary key default true check (one)
);
drop function if exists log.wrapped_key(uuid, uuid, bytea);
