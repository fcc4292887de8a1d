-- Definer: looks at another person's roles. Rank is what one may do, and until when: whoever holds a right that the caller lacks, or
-- holds for a shorter time, is above the caller. So a guest admin does not outlast the others by removing them.
create or replace function private.require_not_above(p_user_id uuid)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if not private.is_service() and p_user_id is distinct from auth.uid() and exists (
    select from private.permissions_of(p_user_id) as theirs
    left join private.permissions_of(auth.uid()) as mine on mine.permission = theirs.permission
    where not private.has_permission(theirs.permission) or theirs.until > mine.until
  ) then
    raise sqlstate 'PT403' using
      message = 'This person may do more than you.', detail = 'ABOVE_YOURSELF',
      hint = 'Ask somebody who holds all of that person''s permissions.';
  end if;
end
$$;

comment on function private.require_not_above(uuid) is 'Refuses to touch a person who holds a permission that the caller lacks.';
grant execute on function private.require_not_above(uuid) to authenticated, service_role;
