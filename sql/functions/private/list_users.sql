-- Definer: reads auth.users. The words are matched as they are: % and _ mean themselves.
create or replace function private.list_users(p_search text, p_page integer, p_page_size integer)
returns public.user_page
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_search constant text := lower(btrim(p_search));
  v_pattern constant text := '%' || replace(replace(replace(v_search, '\', '\\'), '%', '\%'), '_', '\_') || '%';
  v_page public.user_page;
  v_ids uuid[];
begin
  perform private.require_permission('users.read');
  if (p_page between 1 and 100000 and p_page_size between 1 and 100) is not true or length(p_search) > 100 then
    raise sqlstate 'PT422' using
      message = 'The page is out of range.', detail = 'PAGE_OUT_OF_RANGE',
      hint = 'p_page: 1 to 100000; p_page_size: 1 to 100; p_search: at most 100 characters.';
  end if;
  v_page.page := p_page;
  v_page.page_size := p_page_size;
  if coalesce(v_search, '') = '' then
    select count(*) into v_page.total from public.profiles as p;
    v_ids := array(
      select p.id from public.profiles as p order by p.created_at desc, p.id limit p_page_size offset (p_page - 1) * p_page_size
    );
  else
    select count(*) into v_page.total from private.account_words as w where w.words like v_pattern;
    v_ids := array(
      select w.user_id from private.account_words as w
      join public.profiles as p on p.id = w.user_id
      where w.words like v_pattern
      order by p.created_at desc, p.id
      limit p_page_size offset (p_page - 1) * p_page_size
    );
  end if;
  v_page.users := array(select a from private.accounts(v_ids) as a);
  return v_page;
end
$$;

comment on function private.list_users(text, integer, integer) is 'A page of the accounts, youngest first, with the number of all.';
grant execute on function private.list_users(text, integer, integer) to authenticated, service_role;
