-- The head of a month is that of all its chains: how long each is, without the zeros at the end, and one hash over their last links.
create or replace function private.audit_head(p_month date, p_positions bigint[] default null)
returns text
language sql
stable
security invoker
set search_path = ''
as $$
  select format(
    '%s-%s:%s:%s', lpad(extract(year from p_month)::text, 4, '0'), lpad(extract(month from p_month)::text, 2, '0'),
    regexp_replace(string_agg(coalesce(h.position, 0)::text, '.' order by n.lane), '([.]0)+$', ''),
    encode(sha256(coalesce(string_agg(h.hash, '' order by n.lane), '')), 'hex')
  )
  from generate_series(0, 7) as n (lane)
  left join lateral (
    select l.position, l.hash
    from private.audit_links as l
    where l.month = p_month and l.lane = n.lane and (p_positions is null or l.position = p_positions[n.lane + 1])
    order by l.position desc
    limit 1
  ) as h on true
$$;

comment on function private.audit_head(date, bigint[]) is
  'The end of a month''s chains as people keep it, month:entries:hash; or what it was when they had so many entries.';
