-- Runs hourly. Partitions are made two months ahead; what came into the default partition meanwhile stays there, which
-- would stop a partition of the same month, so a month with rows in the default partition is left to it.
create or replace function ml.maintain(p_keep_months integer default 12)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_month date;
  v_name text;
begin
  for v_month in
    select (date_trunc('month', now()) + make_interval(months => m))::date from generate_series(0, 2) as m
  loop
    v_name := 'predictions_' || to_char(v_month, 'YYYYMM');
    if to_regclass('ml.' || v_name) is null and not exists (
      select from ml.predictions_default as d
      where d.created_at >= v_month and d.created_at < v_month + interval '1 month'
    ) then
      execute format(
        'create table ml.%I partition of public.predictions for values from (%L) to (%L)',
        v_name, v_month, (v_month + interval '1 month')::date
      );
      execute format('alter table ml.%I enable row level security', v_name);
    end if;
  end loop;

  for v_name in
    select c.relname from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
    where i.inhparent = 'public.predictions'::regclass
      and c.relname ~ '^predictions_[0-9]{6}$'
      and to_date(right(c.relname, 6), 'YYYYMM') < date_trunc('month', now()) - make_interval(months => p_keep_months)
  loop
    execute format('drop table ml.%I', v_name);
  end loop;

  -- Of predictions that were detached while somebody held these.
  delete from ml.jobs as j where not exists (select from ml.attachments as a where a.id = j.attachment_id);
  delete from ml.retries as r where not exists (select from ml.attachments as a where a.id = r.attachment_id);
  delete from ml.webhook_deliveries where received_at < now() - interval '10 minutes';
  delete from ml.workers where seen_at < now() - interval '1 day';
  delete from ml.usage where day < current_date - 90;
end
$$;

comment on function ml.maintain(integer) is 'Makes the receipts'' next partitions, drops those past their keep, forgets old webhook ids and workers.';
