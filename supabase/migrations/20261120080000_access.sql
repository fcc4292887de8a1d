-- Purpose: deny by default. Nothing that a later migration creates is reachable until that migration grants it.
-- Locks and risks: catalogue only, instant. Objects that exist already keep their grants.
-- Undo: `alter default privileges` with `grant` in place of `revoke`; drop the two schemas and the role.

create schema ml;
create schema private;

comment on schema ml is 'The prediction pipeline. Not exposed by the Data API.';
comment on schema private is 'Functions and tables behind the API. Not exposed by the Data API.';

-- EXECUTE for PUBLIC is a global default; the form with `in schema` would have no effect on it.
alter default privileges revoke execute on functions from public;

-- The platform grants everything in `public` to the API roles by default. Here each table and function grants what it serves.
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;

create extension if not exists pgcrypto with schema extensions;

-- The two platform extensions are asked for only where the server has them; the embedded stack brings stand-ins.
do $$
begin
  if exists (select from pg_catalog.pg_available_extensions where name = 'pg_net') then
    create extension if not exists pg_net with schema extensions;
  end if;
  if exists (select from pg_catalog.pg_available_extensions where name = 'pg_cron') then
    create extension if not exists pg_cron with schema pg_catalog;
  end if;
end
$$;

-- The prediction service's own role. It gets no password here: `./rowcast up` or the operator sets one with
-- `alter role rowcast_service login password '…'`. Roles live in the cluster, so a second database finds it there.
do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'rowcast_service') then
    create role rowcast_service nologin noinherit connection limit 40;
  end if;
end
$$;

alter role rowcast_service set statement_timeout = '30s';
alter role rowcast_service set idle_in_transaction_session_timeout = '30s';
alter role rowcast_service set search_path = '';
