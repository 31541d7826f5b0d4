const http = require("node:http");
const https = require("node:https");

/** Longest answer, octets. */
const MAX_BODY = 65536;

/** The action of each verdict. */
const ACTIONS = {
  deliverable: "accept",
  unknown: "reject",
  disabled: "reject",
  moved: "reject",
  "not-served": "reject",
  malformed: "reject",
  departed: "defer",
  full: "defer",
  throttled: "defer",
  unavailable: "defer",
};

/** What the reply of each action begins with. */
const CLASSES = { accept: "2", reject: "5", defer: "4" };

const AGENTS = {
  "http:": new http.Agent({ keepAlive: true, maxSockets: 64 }),
  "https:": new https.Agent({ keepAlive: true, maxSockets: 64 }),
};

/**
 * Reads the URL of the edge.
 *
 * @param {string} text
 * @returns {URL | null} null if it is not a URL that may be asked; without encryption, only this host is
 */
exports.parse = (text) => {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const isLocal = ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLocal)) return null;
  return new URL("/v1/rcpt", url);
};

/**
 * Reads an answer. Only a well-formed one that names the recipient, whose words are all known and agree, is a verdict.
 *
 * @param {string} body
 * @param {string} recipient
 * @returns {string} the SMTP reply line
 * @throws {Error} for everything else
 */
exports.read = (body, recipient) => {
  const { recipient: about, verdict, action, reply, mode } = Object(JSON.parse(body));
  if (about !== recipient) throw new Error("the answer is about another recipient");
  if (!Object.hasOwn(ACTIONS, verdict)) throw new Error("the verdict is unknown");
  if (!Object.hasOwn(CLASSES, action)) throw new Error("the action is unknown");
  const usual = ACTIONS[verdict];
  // Observe mode makes an accept of a verdict, and defer mode a deferral of a refusal.
  const isSoftened =
    mode === "observe" ? action === "accept" : mode === "defer" && action === "defer" && usual === "reject";
  if (action !== usual && !isSoftened) throw new Error("the verdict does not mean the action");
  if (typeof reply !== "string" || reply[0] !== CLASSES[action])
    throw new Error("the reply does not mean the action");
  return reply;
};

/**
 * Asks the edge about one recipient. The address is in the body, since URLs are logged. Redirects are not followed.
 *
 * @param {URL} url from {@link exports.parse}
 * @param {string} token
 * @param {string} recipient
 * @param {(error: Error | null, line?: string) => void} done called once or more; the first call counts
 * @returns {() => void} stops asking
 */
exports.ask = (url, token, recipient, done) => {
  const body = JSON.stringify({ recipient });
  let request = send(true);

  function send(mayRepeat) {
    const sent = (url.protocol === "https:" ? https : http).request(url, {
      method: "POST",
      agent: AGENTS[url.protocol],
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "user-agent": "haraka-plugin-rollcall",
      },
    });
    sent.on("response", (response) => receive(response));
    sent.on("error", (error) => {
      // The edge closed a connection that was kept open, and has not seen the question.
      if (mayRepeat && sent.reusedSocket && error.code === "ECONNRESET") request = send(false);
      else done(error);
    });
    sent.end(body);
    return sent;
  }

  function receive(response) {
    let text = "";
    response.setEncoding("utf8");
    response.on("error", (error) => done(error));
    response.on("data", (part) => {
      text += part;
      if (text.length > MAX_BODY) response.destroy(new Error("the answer of the edge is too long"));
    });
    response.on("end", () => {
      if (response.statusCode !== 200) return done(new Error(`the edge answers ${response.statusCode}`));
      let line;
      try {
        line = exports.read(text, recipient);
      } catch (error) {
        return done(error);
      }
      done(null, line);
    });
    // Without an end, the answer is incomplete.
    response.on("close", () => done(new Error("the edge closed the connection within its answer")));
  }

  return () => request.destroy();
};
