export default {
  fetch: () =>
    new Response(
      new ReadableStream({
        start(controller) {
          for (const piece of ["one ", "two ", "three"]) {
            controller.enqueue(new TextEncoder().encode(piece));
          }
          controller.close();
        },
      }),
    ),
};
