create or replace function public.list_users(p_search text default null, p_page integer default 1, p_page_size integer default 20)
returns public.user_page
language sql
stable
security invoker
set search_path = ''
return private.list_users(p_search, p_page, p_page_size);

comment on function public.list_users(text, integer, integer) is
  E'List or find accounts\n\nFor holders of users.read. p_search is looked for within e-mail addresses, phone numbers, names and user names. Youngest first, with the total.';
grant execute on function public.list_users(text, integer, integer) to authenticated, service_role;
