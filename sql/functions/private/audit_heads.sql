-- Steps from month to month in the index; the links between are not read.
create or replace function private.audit_heads()
returns setof text
language sql
stable
security invoker
set search_path = ''
begin atomic
  with recursive months as (
    select min(l.month) as month from private.audit_links as l
    union all
    select (select min(l.month) from private.audit_links as l where l.month > m.month) from months as m where m.month is not null
  )

  select private.audit_head(m.month, h.position, h.hash)
  from months as m
  cross join lateral (
    select l.position, l.hash from private.audit_links as l where l.month = m.month order by l.position desc limit 1
  ) as h
  order by m.month;
end;

comment on function private.audit_heads() is 'The head of each month''s chain as it is now.';
