// What every function answers with: JSON, CORS, and refusals in the shape the Data API uses.

const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "authorization, apikey, content-type, x-client-info, x-request-id",
  "access-control-allow-methods": "GET, HEAD, POST, OPTIONS",
  "access-control-expose-headers": "x-request-id, content-disposition",
};

/** A refusal: HTTP status, stable token, sentence. Tokens are listed in docs/reference/error-codes.md. */
export class Problem extends Error {
  constructor(readonly status: number, readonly token: string, message: string) {
    super(message);
  }
}

/** A JSON response with CORS headers and the request's id. */
export function json(body: unknown, status: number, requestId: string): Response {
  return Response.json(body, { status, headers: { ...CORS, "x-request-id": requestId } });
}

/** A download with CORS headers and the request's id. */
export function download(body: ReadableStream<Uint8Array>, type: string, name: string, requestId: string): Response {
  return new Response(body, {
    headers: {
      ...CORS,
      "content-type": type,
      "content-disposition": `attachment; filename="${name}"`,
      "cache-control": "no-store",
      "x-request-id": requestId,
    },
  });
}

export const isObject = (x: unknown): x is Record<string, unknown> => typeof x === "object" && x !== null && !Array.isArray(x);

type Handle = (request: Request, requestId: string) => Promise<Response>;

/** Wraps a POST handler. */
export const post = (handle: Handle) => only(["POST"], handle);

/** Wraps a GET handler, which answers HEAD too: the runtime leaves the body out. */
export const get = (handle: Handle) => only(["GET", "HEAD"], handle);

/** Preflight, method, request id, refusals, and one log line. */
function only(methods: string[], handle: Handle) {
  return async (request: Request): Promise<Response> => {
    if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: CORS });
    const given = request.headers.get("x-request-id") ?? "";
    const requestId = /^[\w.:-]{1,100}$/.test(given) ? given : crypto.randomUUID();
    let response: Response;
    let token: string | undefined;
    try {
      if (!methods.includes(request.method)) throw new Problem(405, "METHOD_NOT_ALLOWED", `Use ${methods[0]}.`);
      response = await handle(request, requestId);
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem(500, "INTERNAL", "A defect here; it is in the log.");
      if (problem !== error) console.error(error);
      token = problem.token;
      const body = { code: `PT${problem.status}`, details: token, hint: null, message: problem.message };
      response = json(body, problem.status, requestId);
    }
    console.log(JSON.stringify({ event: "request", path: new URL(request.url).pathname, status: response.status, token, request_id: requestId }));
    return response;
  };
}

/** The body as JSON, at most `limit` bytes of it. */
export async function readJson(request: Request, limit: number): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > limit) throw new Problem(413, "PAYLOAD_TOO_LARGE", `A body takes at most ${limit} bytes.`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(await new Blob(chunks as BlobPart[]).text());
  } catch {
    throw new Problem(400, "INVALID_JSON", "The body is not JSON.");
  }
}
