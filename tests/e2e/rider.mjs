// A rider's first minute through supabase-js, as a front end would live it. Prints what it saw as JSON.
// Arguments: API URL, publishable key.
import { createClient } from "@supabase/supabase-js";

const [url, key] = process.argv.slice(2);
const client = createClient(url, key, { auth: { persistSession: false } });

function check({ data, error }) {
  if (error) throw new Error(JSON.stringify(error));
  return data;
}

const email = `js-${crypto.randomUUID()}@example.com`;
check(await client.auth.signUp({ email, password: "correct horse battery" }));
const { user } = check(await client.auth.signInWithPassword({ email, password: "correct horse battery" }));
await client.realtime.setAuth();

let hear;
const heard = new Promise((resolve) => (hear = resolve));
const channel = client.channel(`user:${user.id}`, { config: { private: true } });
channel.on("broadcast", { event: "prediction" }, ({ payload }) => hear(payload));
await new Promise((resolve, reject) =>
  channel.subscribe((status, error) =>
    status === "SUBSCRIBED" ? resolve() : reject(error ?? new Error(status))
  )
);

const first = check(
  await client.rpc("request_pickup", {
    p_origin_lat: 37.7749,
    p_origin_lng: -122.4194,
    p_dest_lat: 37.8044,
    p_dest_lng: -122.2712,
    p_kind: "ride",
    p_client_key: "js-1",
  })
);
const event = await heard;
const row = check(await client.from("pickup_requests").select().eq("id", first.id).single());
const receipts = check(await client.from("predictions").select().eq("row_key", first.id));
const profile = check(await client.rpc("me").select().single());
const refused = await client.rpc("request_pickup", {
  p_origin_lat: 91,
  p_origin_lng: 0,
  p_dest_lat: 0,
  p_dest_lng: 0,
});
const predicted = await client.functions.invoke("predict", {
  body: {
    model: "eta",
    inputs: [{ origin_lat: 37.77, origin_lng: -122.42, dest_lat: 37.8, dest_lng: -122.27, kind: "ride", requested_at: "2026-11-20T08:00:00Z", estimate_seconds: 1500 }],
  },
});
await client.removeAllChannels();
console.log(
  JSON.stringify({
    user: user.id,
    first,
    event,
    row,
    receipts,
    profile,
    refused: { status: refused.status, details: refused.error?.details },
    predicted: check(predicted),
  })
);
