-- Steps from month to month in the index; the links between are not read.
create or replace function private.audit_heads()
returns table (month date, head text)
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

  select m.month, private.audit_head(m.month) from months as m where m.month is not null order by m.month;
end;

comment on function private.audit_heads() is 'The head of each month as it is now.';
