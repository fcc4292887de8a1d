-- Stand-in: the database side of Supabase Realtime: realtime.messages with the platform's columns, daily
-- partitions, owner, row security and grants. Rows reach the gateway by NOTIFY with their ids.
-- Lacks: postgres_changes (realtime.subscription, apply_rls, list_changes), send_binary, persistence options.
create table if not exists realtime.messages (
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  updated_at timestamp not null default now(),
  inserted_at timestamp not null default now(),
  id uuid not null default gen_random_uuid(),
  primary key (id, inserted_at)
) partition by range (inserted_at);
alter table realtime.messages owner to supabase_realtime_admin;
alter table realtime.messages enable row level security;
create index if not exists messages_inserted_at_topic_index on realtime.messages (inserted_at desc, topic)
  where extension = 'broadcast' and private is true;
grant select, insert, update on realtime.messages to postgres, anon, authenticated, service_role;

-- Partitions from yesterday to three days ahead; older than three days are dropped, as on the platform.
-- The gateway calls this when it connects and every hour. Without a partition an insert fails, and
-- realtime.send() turns that into a warning, as on the platform.
create or replace procedure realtime._standin_partitions()
language plpgsql set search_path = '' as $$
declare
  v_day date;
  v_old text;
begin
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('realtime._standin_partitions'));
  for v_day in select generate_series(current_date - 1, current_date + 3, interval '1 day')::date
  loop
    if to_regclass('realtime.messages_' || to_char(v_day, 'YYYY_MM_DD')) is null then
      execute format(
        'create table realtime.%1$I partition of realtime.messages for values from (%2$L) to (%3$L);
         alter table realtime.%1$I enable row level security;
         alter table realtime.%1$I owner to supabase_realtime_admin',
        'messages_' || to_char(v_day, 'YYYY_MM_DD'), v_day, v_day + 1
      );
    end if;
  end loop;
  for v_old in
    select relid::text from pg_catalog.pg_partition_tree('realtime.messages')
    where isleaf and relid::text < 'realtime.messages_' || to_char(current_date - 3, 'YYYY_MM_DD')
  loop
    execute 'drop table ' || v_old;
  end loop;
end
$$;
revoke all on procedure realtime._standin_partitions() from public;
call realtime._standin_partitions();

-- NOTIFY carries less than 8,000 bytes: ids only, 180 of 37 characters each in one message.
create or replace function realtime._standin_notify() returns trigger
language plpgsql set search_path = '' as $$
begin
  perform pg_catalog.pg_notify('rowcast_realtime', chunk.ids)
  from (
    select string_agg(numbered.id::text, ',' order by numbered.n) as ids
    from (
      select id, row_number() over () - 1 as n from inserted where extension = 'broadcast'
    ) as numbered
    group by numbered.n / 180
    order by numbered.n / 180
  ) as chunk;
  return null;
end
$$;
drop trigger if exists _standin_notify on realtime.messages;
create trigger _standin_notify after insert on realtime.messages
  referencing new table as inserted
  for each statement execute function realtime._standin_notify();
