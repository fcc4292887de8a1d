// A client as its users write it: signs up, joins its private channel, hears the database and itself.
import { createClient } from "@supabase/supabase-js";

const [url, key, vsn] = process.argv.slice(2);
const supabase = createClient(url, key, { realtime: { vsn } });
const print = (value) => console.log(JSON.stringify(value));

const email = `js${Date.now()}${vsn}@example.com`;
const { data, error } = await supabase.auth.signUp({ email, password: "correct horse 7!" });
if (error) throw error;
await supabase.realtime.setAuth();

/** Subscribes; resolves with the first state and its error. */
const subscribe = (channel) =>
  new Promise((resolve) => channel.subscribe((state, err) => resolve([state, err?.message])));

const stranger = supabase.channel("standin:someone-else", { config: { private: true } });
const [refused, reason] = await subscribe(stranger);
await supabase.removeChannel(stranger);

const config = { private: true, broadcast: { self: true, ack: true } };
const channel = supabase.channel(`standin:${data.user.id}`, { config });
let heard = 0;
channel.on("broadcast", { event: "news" }, async (message) => {
  print(message);
  heard += 1;
  if (heard === 1) {
    const sent = await channel.send({ type: "broadcast", event: "news", payload: { n: 8 } });
    if (sent !== "ok") throw new Error(`send: ${sent}`);
  }
  if (heard === 2) {
    await supabase.removeAllChannels();
    process.exit(0);
  }
});
const [state] = await subscribe(channel);
print({ uid: data.user.id, states: [state], stranger: `${refused}: ${reason}` });
