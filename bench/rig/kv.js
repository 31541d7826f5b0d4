// KV's wire protocol for raw workerd, over a map: enough for the edge, without a simulator's cost.
const values = new Map();

export default {
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/bulk/get") {
      const { keys } = await request.json();
      const text = (key) => (values.has(key) ? new TextDecoder().decode(values.get(key)) : null);
      return Response.json(Object.fromEntries(keys.map((key) => [key, text(key)])));
    }
    const key = decodeURIComponent(url.pathname.slice(1));
    if (request.method === "PUT") {
      values.set(key, await request.arrayBuffer());
      return new Response(null, { status: 204 });
    }
    if (request.method === "DELETE") {
      values.delete(key);
      return new Response(null, { status: 204 });
    }
    const value = values.get(key);
    return value === undefined ? new Response(null, { status: 404 }) : new Response(value);
  },
};
