-- One statement, so one snapshot: an entry and its link appear together. Each link is compared with the one before it as it stands,
-- which needs no loop: a changed one differs from its own hash, or the next from its.
-- Heads come from whoever keeps them and from the log's own daily checkpoints. A month that is gone is in order only where the log
-- notes that retention dropped it, and a blank entry only where the log notes its redaction.
create or replace function private.check_audit(p_heads text[] default '{}', p_month date default null)
returns setof public.audit_chain
language plpgsql
stable
security invoker
set search_path = ''
set plan_cache_mode = force_custom_plan
set timezone = 'UTC'
set work_mem = '32MB'
as $$
declare
  v_month constant date := date_trunc('month', p_month);
begin
  if exists (
    select from unnest(p_heads) as h
    where (h ~ '^[0-9]{4}-(0[1-9]|1[0-2]):[0-9]{1,18}([.][0-9]{1,18}){0,7}:[0-9a-f]{64}$' and h !~ '^0000') is not true
  ) then
    raise sqlstate 'PT422' using
      message = 'A head is no head.', detail = 'AUDIT_HEAD_MALFORMED', hint = 'Give it as it was printed: 2026-11:1234:<64 hex digits>.';
  end if;

  return query
  with own as materialized (
    -- What the log notes of itself, where the entry is as it was linked.
    select a.action, a.new_values
    from private.audit_log as a
    join private.audit_links as l on l.entry_id = a.id
    where a.action in ('audit.checkpoint', 'audit.redacted', 'audit.dropped') and a.salt is not null
      and l.digest = private.audit_digest(a.salt, a.actor_id, a.subject_id, a.row_key, a.old_values, a.new_values, a.request_id)
  ), redacted as materialized (
    select distinct e.id::bigint as id
    from own as o cross join lateral jsonb_array_elements_text(o.new_values -> 'entries') as e (id)
    where o.action = 'audit.redacted'
  ), dropped as materialized (
    select
      to_date(split_part(o.new_values ->> 'head', ':', 1), 'YYYY-MM') as month, o.new_values ->> 'head' as head, (
        select sum(n::bigint) from string_to_table(split_part(o.new_values ->> 'head', ':', 2), '.') as n
      ) as entries
    from own as o
    where o.action = 'audit.dropped'
  ), heads as materialized (
    select distinct
      to_date(split_part(x.head, ':', 1), 'YYYY-MM') as month, string_to_array(split_part(x.head, ':', 2), '.')::bigint[] as positions,
      x.head
    from (
      select unnest(p_heads) as head
      union
      select h.head from own as o cross join lateral jsonb_array_elements_text(o.new_values -> 'heads') as h (head)
      where o.action = 'audit.checkpoint'
    ) as x
  ), links as (
    select
      l.*, row_number() over w as place, lag(l.hash, 1, v.genesis) over w as previous
    from (
      select x.month, x.lane, private.audit_genesis(x.month, x.lane) as genesis
      from private.audit_links as x
      where v_month is null or x.month = v_month
      group by x.month, x.lane
    ) as v
    join private.audit_links as l on l.month = v.month and l.lane = v.lane
    window w as (partition by l.month, l.lane order by l.position)
  ), entries as (
    select a.*, date_trunc('month', a.created_at)::date as month
    from private.audit_log as a
    where v_month is null or a.created_at >= v_month and a.created_at < v_month + interval '1 month'
  ), pairs as (
    select
      coalesce(l.month, a.month) as month, coalesce(l.entry_id, a.id) as entry_id, l.lane, l.position,
      l.entry_id is not null and a.id is not null and a.salt is null as is_blank,
      case
        when l.entry_id is null then 'it is not in the chain'
        when l.position <> l.place then 'a link before it is gone'
        when a.id is null then 'it is gone'
        when l.hash is distinct from private.audit_hash(
          l.previous, l.digest, a.id, a.created_at, a.actor_role, a.action, a.table_name
        ) then 'it or its link was changed'
        when a.salt is null then case when r.id is null then 'it was blanked, which no redaction notes' end
        when l.digest is distinct from private.audit_digest(
          a.salt, a.actor_id, a.subject_id, a.row_key, a.old_values, a.new_values, a.request_id
        ) then 'it was changed'
      end as problem
    from links as l
    full join entries as a on a.id = l.entry_id and a.month = l.month
    left join redacted as r on r.id = a.id
  ), chains as (
    select
      p.month, count(*) filter (where p.position is not null) as entries, count(*) filter (where p.is_blank) as redacted,
      (array_agg(p.entry_id order by p.lane, p.position, p.entry_id) filter (where p.problem is not null))[1] as first_broken,
      (array_agg(p.problem order by p.lane, p.position, p.entry_id) filter (where p.problem is not null))[1] as problem
    from pairs as p
    group by p.month
  ), kept as (
    select
      h.month, min(h.head) filter (
        where private.audit_head(h.month, h.positions) <> h.head and not exists (
          select from dropped as d
          where d.month = h.month and not exists (select from private.audit_links as l where l.month = h.month)
            and (d.head = h.head or d.entries > (select sum(n) from unnest(h.positions) as n))
        )
      ) as missing
    from heads as h
    where v_month is null or h.month = v_month
    group by h.month
  )
  select
    to_char(coalesce(c.month, k.month), 'YYYY-MM'), coalesce(c.entries, 0), coalesce(c.redacted, 0),
    c.problem is null and k.missing is null, c.first_broken,
    coalesce(c.problem, case
      when k.missing is null then null
      when c.month is null then 'the month is gone, and retention did not drop it'
      else 'it does not hold the head ' || k.missing
    end),
    case when c.entries > 0 then private.audit_head(c.month) end
  from chains as c
  full join kept as k on k.month = c.month
  where c.month is not null or k.missing is not null or k.month = any (
    select to_date(split_part(h, ':', 1), 'YYYY-MM') from unnest(p_heads) as h
  )
  order by 1;
end
$$;

comment on function private.check_audit(text[], date) is
  'Whether the audit log is as it was written: one row a month, with the head to keep. p_heads: heads kept from earlier. p_month: that month alone.';
