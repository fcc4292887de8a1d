-- Receipts are written by ml.commit, ml.fail and ml.cancel; the owner of the predicted row reads.
-- Partitions stand in `ml`, out of the API's sight, with no grant at all: they are read through the parent.
revoke all on public.predictions, ml.predictions_default from anon, authenticated, service_role;
grant select on public.predictions to authenticated, service_role;

drop policy if exists "owners read the receipts of their rows" on public.predictions;
create policy "owners read the receipts of their rows" on public.predictions
for select to authenticated
using (owner_id = (select auth.uid()));
