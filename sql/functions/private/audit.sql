create or replace function private.audit(
  p_table regclass,
  p_key text default null,
  p_subject text default null,
  p_hide text[] default '{}',
  p_ignore text[] default '{}'
)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_key text[] := string_to_array(replace(p_key, ' ', ''), ',');
  v_missing text;
begin
  if v_key is null then
    select array_agg(a.attname::text order by array_position(i.indkey::smallint[], a.attnum)) into v_key
    from pg_index as i
    join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
    where i.indrelid = p_table and i.indisprimary;
  end if;
  if v_key is null then
    raise exception '% has no primary key', p_table using detail = 'AUDIT_NO_KEY', hint = 'Name its key: p_key => ''a,b''.';
  end if;
  select string_agg(c.name, ', ') into v_missing
  from unnest(v_key || p_hide || p_ignore || p_subject) as c (name)
  where c.name is not null and not exists (
    select from pg_attribute as a
    where a.attrelid = p_table and a.attname = c.name and a.attnum > 0 and not a.attisdropped
      and (c.name is distinct from p_subject or a.atttypid = 'uuid'::regtype)
  );
  if v_missing is not null then
    raise exception '% has no column %', p_table, v_missing using
      detail = 'AUDIT_NO_COLUMN', hint = 'The subject''s column is a uuid.';
  end if;

  execute format(
    'create or replace trigger _900_audit after insert or update or delete on %s
     for each row execute function private.tg_audited__note(%L, %L, %L, %L)',
    p_table, v_key, coalesce(p_subject, ''), p_hide, p_ignore
  );
  execute format(
    'create or replace trigger _901_audit_truncate after truncate on %s
     for each statement execute function private.tg_audited__note(%L, %L, %L, %L)',
    p_table, v_key, coalesce(p_subject, ''), p_hide, p_ignore
  );
end
$$;

comment on function private.audit(regclass, text, text, text[], text[]) is
  E'Note every change of a table in the audit log\n\nCall it in a migration; the same call again changes nothing, a changed one replaces the old. p_key: the columns that name a row, else its primary key. p_subject: the uuid column that names the person whom a row is about, who may read the entry. p_hide: columns of which only the change is noted. p_ignore: columns that are left out altogether.';
