-- One pass over each table of every schema, partitions and platform tables among them. Letters of either case are the same.
-- A composite or array is read as JSON, bytes as the text they may be; JSON spells some characters otherwise, so that
-- spelling is looked for too. What this role may not read comes back with NULL traces: not looked at is not clean.
create or replace function private.find_traces(p_needles text[])
returns table (table_name text, column_name text, traces bigint)
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_needles text[];
  v_table record;
  v_found bigint[];
begin
  select array_agg(distinct s.spelt) into v_needles
  from unnest(p_needles) as n (needle)
  cross join lateral (values (lower(n.needle)), (lower(substr(to_json(n.needle)::text, 2, length(to_json(n.needle)::text) - 2)))) as s (spelt)
  where n.needle <> '';
  if v_needles is null then
    raise sqlstate 'PT422' using
      message = 'There is nothing to look for.', detail = 'NO_NEEDLES', hint = 'Give the id, the address, the name.';
  end if;

  for v_table in
    select
      c.oid::regclass as name, n.nspname || '.' || c.relname as full_name, array_agg(a.attname::text order by a.attnum) as columns,
      has_table_privilege(c.oid, 'select') as readable,
      string_agg(
        format(
          'count(*) filter (where exists (select from unnest($1) as n (needle) where position(n.needle in lower(%s)) > 0))',
          case
            when t.typname = 'bytea' then format('encode(t.%I, ''escape'')', a.attname)
            when t.typcategory in ('A', 'C') then format('to_jsonb(t.%I)::text', a.attname)
            else format('t.%I::text', a.attname)
          end
        ), ', ' order by a.attnum
      ) as counts
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type as t on t.oid = a.atttypid
    where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
      -- Numbers, times, truth values, enums and places on a plane hold no name.
      and t.typcategory not in ('N', 'D', 'B', 'E', 'G', 'T')
    group by c.oid, n.nspname, c.relname
    order by 2
  loop
    if not v_table.readable then
      return query select v_table.full_name, null::text, null::bigint;
      continue;
    end if;
    execute format('select array[%s]::bigint[] from only %s as t', v_table.counts, v_table.name) into v_found using v_needles;
    return query
      select v_table.full_name, f.name, f.hits
      from unnest(v_table.columns, v_found) as f (name, hits)
      where f.hits > 0;
  end loop;
end
$$;

comment on function private.find_traces(text[]) is
  'Where any of these strings stands: table, column, number of rows, over every table of the database. NULL: a table that could not be read.';
