-- Embedded stack only: keeps the Storage server from opening the database to everyone.
-- On its first storage request that server looks up every schema which has a table with row security, and
-- grants ALL on all its tables to anon, authenticated and service_role, now and by default: auth, vault, cron,
-- the project's own schemas. Real Storage does nothing of the kind. The server asks `pg_class` without naming
-- its schema, and connects as supabase_admin; so that role finds this view first, which knows only storage.
create schema if not exists rowcast_storage authorization supabase_admin;
revoke all on schema rowcast_storage from public;
create or replace view rowcast_storage.pg_class as
  select * from pg_catalog.pg_class where relnamespace = 'storage'::pg_catalog.regnamespace;
comment on view rowcast_storage.pg_class is
  'Embedded stack only: what the Storage server may know of. Use pg_catalog.pg_class.';

-- pg_catalog comes second and public after it, so nobody else can put a name in this superuser's way.
alter role supabase_admin set search_path = rowcast_storage, pg_catalog, "$user", public, auth, extensions;
