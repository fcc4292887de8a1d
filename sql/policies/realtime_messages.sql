-- Private channels. A person hears the topic `user:<their id>` and nothing else, for as long as the session lasts; no client may speak
-- on a private channel, so there is no policy for INSERT. The table belongs to the platform, which grants it to the API roles.
drop policy if exists "people hear their own channel" on realtime.messages;
create policy "people hear their own channel" on realtime.messages
for select to authenticated
using (
  extension = 'broadcast'
  and (select realtime.topic()) = 'user:' || (select auth.uid())::text
  and topic = (select realtime.topic())
  and (select private.session_is_live())
);
