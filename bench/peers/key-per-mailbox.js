// The obvious design: one KV key a mailbox, one KV read a check. Written to be fast: no router, and no more work on
// the address than lower case. Its answer has the form of ours. POST one recipient, or a list.
const HEADERS = { "Cache-Control": "private, no-store", "Content-Type": "application/json" };

async function check(recipient, kv) {
  const isListed = (await kv.get(`mailbox/${recipient.toLowerCase()}`)) !== null;
  return {
    recipient,
    verdict: isListed ? "deliverable" : "unknown",
    action: isListed ? "accept" : "reject",
    reply: isListed
      ? `250 2.1.5 <${recipient}>: recipient ok`
      : `550 5.1.1 <${recipient}>: no such mailbox here`,
    matched: isListed ? "mailbox" : null,
    domain: recipient.slice(recipient.lastIndexOf("@") + 1),
    generation: 1,
    incarnation: null,
    origin: "kv",
    mode: "enforce",
    confirmed_age: null,
    contact_age: null,
    max_age: 30,
  };
}

export default {
  async fetch(request, { KV, TOKEN }) {
    if (request.headers.get("Authorization") !== `Bearer ${TOKEN}`)
      return new Response(null, { status: 401 });
    const asked = await request.json();
    const answer = Array.isArray(asked)
      ? { results: await Promise.all(asked.map((recipient) => check(recipient, KV))) }
      : await check(asked.recipient, KV);
    return new Response(JSON.stringify(answer), { headers: HEADERS });
  },
};
