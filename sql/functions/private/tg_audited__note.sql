-- Definer: whoever writes an audited table may not write the log. Attached by private.audit only, whose arguments it takes: the key's
-- columns, the subject's column, columns to hide and to ignore. An update that changes nothing else leaves no entry.
create or replace function private.tg_audited__note()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_hide constant text[] := tg_argv[2];
  v_ignore constant text[] := tg_argv[3];
  v_before constant jsonb := to_jsonb(old);
  v_after constant jsonb := to_jsonb(new);
  v_old jsonb := v_before - v_ignore;
  v_new jsonb := v_after - v_ignore;
  v_key text;
begin
  if tg_op = 'UPDATE' then
    if v_old = v_new then
      return null;
    end if;
    select jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, v_new -> o.key) into v_old, v_new
    from jsonb_each(v_old) as o
    where o.value is distinct from v_new -> o.key;
  end if;
  -- A row goes by the key under which it was known; the new one stands among what changed.
  select string_agg(coalesce(v_before, v_after) ->> k.name, ',' order by k.ordinality) into v_key
  from unnest(tg_argv[0]::text[]) with ordinality as k (name, ordinality);
  perform private.append_audit(
    lower(tg_op), format('%s.%s', tg_table_schema, tg_table_name), v_key,
    (coalesce(v_after, v_before) ->> tg_argv[1])::uuid,
    private.audit_values(v_old, v_hide), private.audit_values(v_new, v_hide)
  );
  return null;
end
$$;

comment on function private.tg_audited__note() is 'Notes what happened to a row of an audited table.';
