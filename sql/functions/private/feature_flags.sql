-- Definer: as private.flag. Leaves out who switched: that is for the audit trail.
create or replace function private.feature_flags()
returns setof public.feature_flag_state
language sql
stable
security definer
set search_path = ''
begin atomic
select f.name, f.enabled, f.description, f.updated_at from public.feature_flags as f order by f.name;
end;

comment on function private.feature_flags() is 'All feature flags, by name.';
grant execute on function private.feature_flags() to anon, authenticated, service_role;
