-- How strongly the person of a session signed in, in the provider's words, where the site asks for any.
alter table access.session add column acr text;
drop function if exists access.admit(
    bytea, uuid, timestamptz, interval, interval, boolean, text[], bytea[], integer[], interval[]
);
drop function if exists access.begin(bytea, bytea, uuid, timestamptz, interval, integer);
