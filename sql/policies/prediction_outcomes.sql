-- Outcomes are written by the functions of each domain; the owner of the predicted row reads.
revoke all on public.prediction_outcomes from anon, authenticated, service_role;
grant select on public.prediction_outcomes to authenticated, service_role;

drop policy if exists "owners read the outcomes of their rows" on public.prediction_outcomes;
create policy "owners read the outcomes of their rows" on public.prediction_outcomes
for select to authenticated
using (owner_id = (select auth.uid()));
