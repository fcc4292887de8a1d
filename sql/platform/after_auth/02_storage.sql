-- Stand-in: ownership, grants and row security of schema storage after the embedded Storage server has made
-- its tables. Lacks: prefixes, multipart and analytics tables, and storage.search().
do $$
declare
  v_table text;
begin
  if to_regclass('storage.objects') is null then
    return;
  end if;
  foreach v_table in array array['buckets', 'objects']
  loop
    execute format('alter table storage.%I owner to supabase_storage_admin', v_table);
    execute format('alter table storage.%I enable row level security', v_table);
    execute format('grant all on table storage.%I to anon, authenticated, service_role', v_table);
    execute format('grant all on table storage.%I to postgres with grant option', v_table);
  end loop;
end
$$;
grant execute on all functions in schema storage to anon, authenticated, service_role, postgres;
revoke create on schema storage from postgres;
