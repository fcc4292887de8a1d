// Stand-in for the edge runtime: serves every supabase/functions/<name>/index.ts from one Deno process.
//
// A function calls Deno.serve(handler), or exports default { fetch }. Deno.serve is replaced before the
// functions are imported, one after the other, so that each call is noted under the function that made it.
// A function sees /<name>/… as its path, as on the platform; /functions/v1/<name>/… is accepted too.
// Folders that begin with "_" hold shared code. Answers of the runner itself are {code, message}:
//   404 FUNCTION_NOT_FOUND · 500 FUNCTION_FAILED · 503 FUNCTION_NOT_LOADED
// Unlike the platform: no isolation between functions (one process, shared globals), no limit of time or
// memory, no check of tokens (verify_jwt), and code is read once, at the start.

type Handler = (request: Request, info: Deno.ServeHandlerInfo) => Response | Promise<Response>;

const port = Number(required("FUNCTIONS_PORT"));
const folder = required("FUNCTIONS_DIR");
const realServe = Deno.serve;
const handlers = new Map<string, Handler>();
const failures = new Map<string, string>();
let loading = "";

function required(name: string): string {
  const value = Deno.env.get(name);
  if (!value) {
    console.error(`${name} is not set: start the functions with \`rowcast up\``);
    Deno.exit(1);
  }
  return value;
}

function log(level: string, name: string, error: unknown): void {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  console.error(JSON.stringify({ level, function: name, error: text }));
}

function answer(status: number, code: string, message: string): Response {
  return Response.json({ code, message }, { status });
}

/** Takes Deno.serve's place: notes the handler, whatever the form of the call. */
function note(...args: unknown[]): unknown {
  const options = args.find((arg) => typeof arg === "object" && arg !== null) as
    | { handler?: Handler }
    | undefined;
  const handler = args.find((arg) => typeof arg === "function") ?? options?.handler;
  if (loading && typeof handler === "function") handlers.set(loading, handler as Handler);
  const nothing = () => {};
  return {
    finished: new Promise<void>(nothing),
    addr: { transport: "tcp", hostname: "127.0.0.1", port },
    ref: nothing,
    unref: nothing,
    shutdown: () => Promise.resolve(),
  };
}

async function load(name: string): Promise<void> {
  loading = name;
  try {
    const module = await import(new URL(`file://${folder}/${name}/index.ts`).href);
    if (typeof module.default?.fetch === "function") {
      handlers.set(name, (request) => module.default.fetch(request));
    }
    if (!handlers.has(name)) failures.set(name, "it neither calls Deno.serve nor exports fetch");
  } catch (error) {
    log("error", name, error);
    failures.set(name, "it could not be loaded; the log says why");
  } finally {
    loading = "";
  }
}

async function loadAll(): Promise<void> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) {
      if (!entry.isDirectory || /^[_.]/.test(entry.name)) continue;
      const index = await Deno.stat(`${folder}/${entry.name}/index.ts`).catch(() => null);
      if (index?.isFile) names.push(entry.name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const name of names.sort()) await load(name);
}

async function route(request: Request, info: Deno.ServeHandlerInfo): Promise<Response> {
  const url = new URL(request.url);
  if (url.pathname === "/_health") {
    return Response.json({ status: "ok", functions: [...handlers.keys()] });
  }
  url.pathname = url.pathname.replace(/^\/functions\/v1(?=\/)/, "");
  const name = url.pathname.split("/")[1] ?? "";
  const handler = handlers.get(name);
  if (!handler) {
    const failure = failures.get(name);
    return failure === undefined
      ? answer(404, "FUNCTION_NOT_FOUND", "There is no function of this name.")
      : answer(503, "FUNCTION_NOT_LOADED", `The function does not run: ${failure}.`);
  }
  try {
    const response = await handler(new Request(url, request), info);
    if (response instanceof Response) return response;
    throw new TypeError("the function answered with something that is no Response");
  } catch (error) {
    log("error", name, error);
    return answer(500, "FUNCTION_FAILED", "The function failed; the log says why.");
  }
}

// What a function leaves behind in the background must not end the others.
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  log("error", "(background)", event.reason);
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  log("error", "(background)", event.error);
});

Object.defineProperty(Deno, "serve", { value: note, configurable: true, writable: true });
await loadAll();
realServe({ port, hostname: "127.0.0.1", onListen: () => console.error(`functions on ${port}`) }, route);
