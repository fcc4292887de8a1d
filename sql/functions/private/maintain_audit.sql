-- Runs hourly. Partitions are made two months ahead, and attached, which stops no writer; a month with entries in the default
-- partition is left to it. To drop one takes a lock that writers wait for: it waits for three seconds at most, and an hour later again.
-- Retention is itself an entry, so that private.check_audit tells it from a vandal's drop; so is, once a day, the head of every month.
create or replace function private.maintain_audit(p_keep_months integer default 24)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
set lock_timeout = '3s'
as $$
declare
  v_this constant date := private.audit_month(now());
  v_month date;
  v_name text;
begin
  for v_month in select (v_this + make_interval(months => m))::date from generate_series(0, 2) as m loop
    perform private.make_audit_partition(v_month);
  end loop;

  for v_name, v_month in
    select c.relname, to_date(right(c.relname, 6), 'YYYYMM')
    from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
    where i.inhparent = 'private.audit_log'::regclass
      and c.relname ~ '^audit_log_[0-9]{6}$'
      and to_date(right(c.relname, 6), 'YYYYMM') < v_this - make_interval(months => p_keep_months)
    order by 2
  loop
    begin
      execute format('drop table private.%I', v_name);
      perform private.append_audit('audit.dropped', p_new_values => jsonb_build_object('head', h.head))
      from private.audit_heads() as h
      where h.month = v_month;
      delete from private.audit_links where month = v_month;
    exception when lock_not_available then
      raise warning '% is busy, and is dropped another time', v_name;
    end;
  end loop;

  if not exists (
    select from private.audit_log as a where a.action = 'audit.checkpoint' and a.created_at > now() - interval '1 day'
  ) then
    perform private.append_audit('audit.checkpoint', p_new_values => jsonb_build_object('heads', jsonb_agg(h.head)))
    from private.audit_heads() as h
    having count(*) > 0;
  end if;
end
$$;

comment on function private.maintain_audit(integer) is
  'Makes the audit log''s next partitions, drops those past their keep, and notes the heads of its months once a day.';
