-- Read through feature_flags() and flag(), written through set_flag(). No policy, so no API role sees a row of the table itself.
revoke all on public.feature_flags from anon, authenticated, service_role;
grant select on public.feature_flags to service_role;
