-- The one place where a lease ends or shrinks. Positions keep their numbers while anything is left.
create or replace function ml.settle(l ml.leases, p_positions integer[])
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_left ml.owed[];
begin
  if p_positions is not null then
    v_left := array(
      select case when u.n = any (p_positions) then null else l.jobs[u.n] end
      from generate_subscripts(l.jobs, 1) as u (n)
      order by u.n
    );
    if exists (select from unnest(v_left) as j where j.row_key is not null) then
      update ml.leases as x set jobs = v_left where x.token = l.token;
      return;
    end if;
  end if;
  delete from ml.leases as x where x.token = l.token;
end
$$;

comment on function ml.settle(ml.leases, integer[]) is 'Takes settled positions, or all of them, out of a lease; the empty lease goes.';
