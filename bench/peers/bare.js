// The ceiling: a Worker that does the same I/O as a check and nothing else.
const ANSWER = JSON.stringify({
  recipient: "user0@bench.example",
  verdict: "deliverable",
  action: "accept",
  reply: "250 2.1.5 <user0@bench.example>: recipient ok",
  matched: "mailbox",
  domain: "bench.example",
  generation: 1,
  origin: "registry",
  mode: "enforce",
  confirmed_age: 1,
  max_age: 29,
});

export default {
  async fetch(request) {
    if (request.method === "POST") await request.arrayBuffer();
    return new Response(ANSWER, {
      headers: { "Cache-Control": "private, no-store", "Content-Type": "application/json" },
    });
  },
};
