import { createClient } from "npm:@supabase/supabase-js@2";
import { greeting } from "../_shared/greeting.ts";

const supabase = createClient(Deno.env.get("SUPABASE_URL")!, Deno.env.get("SUPABASE_ANON_KEY")!);

Deno.serve(async (request) => {
  const url = new URL(request.url);
  return Response.json({
    greeting,
    path: url.pathname + url.search,
    method: request.method,
    body: await request.text(),
    from: typeof supabase.from,
  });
});
