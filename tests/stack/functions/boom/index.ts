Deno.serve({ port: 1 }, (request) => {
  if (request.method === "DELETE") return "no response" as unknown as Response;
  Promise.reject(new Error("left behind in the background"));
  throw new Error("on purpose");
});
