// Asks Rollcall at RCPT TO whether a recipient exists. An error thrown out of a hook ends Haraka, and a hook that never
// calls `next` costs the client 30 seconds: so everything here is guarded, and every fault is a deferral.

const { domainToASCII } = require("node:url");
const constants = require("haraka-constants");
const askBridge = require("./ask-bridge");
const askEdge = require("./ask-edge");
const { later, read } = require("./reply");

const DEFAULT_TIMEOUT = 4.5;
const MAX_TIMEOUT = 25;

exports.register = function () {
  this.load_rollcall();
  this.register_hook("rcpt", "rollcall_rcpt");
};

/** Reads the settings, again whenever one of their files changes. Never throws. */
exports.load_rollcall = function () {
  try {
    const reload = () => this.load_rollcall();
    const { main } = this.config.get("rollcall.ini", reload);
    const token = this.config.get("rollcall_token", "value", reload);
    this.rollcall = settingsOf(main, token);
  } catch (error) {
    this.rollcall = { fault: error.message, domains: null, timeout: DEFAULT_TIMEOUT };
  }
  if (this.rollcall.fault) this.logerror(`rollcall.ini: ${this.rollcall.fault}; every recipient is deferred`);
};

/**
 * @param {Record<string, unknown>} main of rollcall.ini
 * @param {unknown} token of the file rollcall_token
 * @returns {{ fault: string | null, domains: Set<string> | null, timeout: number, ask?: Function }}
 */
function settingsOf(main, token) {
  const names = String(main.domains ?? "")
    .split(/[\s,]+/)
    .filter((name) => name !== "");
  const domains = names.length === 0 ? null : new Set(names.map((name) => domainToASCII(name)));
  const timeout = Math.min(MAX_TIMEOUT, Number(main.timeout ?? DEFAULT_TIMEOUT));
  const settings = { fault: null, domains, timeout };
  if (!(timeout > 0))
    return { ...settings, timeout: DEFAULT_TIMEOUT, fault: "timeout is not a number of seconds" };
  if (domains?.has(""))
    return { ...settings, domains: null, fault: "domains contains a name that is not a domain" };
  if (main.edge) {
    const url = askEdge.parse(String(main.edge));
    if (url === null) return { ...settings, fault: "edge is not the https:// URL of an edge" };
    const secret = String(token ?? "").trim();
    if (!/^[\x21-\x7e]+$/.test(secret))
      return { ...settings, fault: "config/rollcall_token has no token for the edge" };
    return { ...settings, ask: (recipient, done) => askEdge.ask(url, secret, recipient, done) };
  }
  const where = askBridge.parse(String(main.bridge ?? ""));
  if (where === null) return { ...settings, fault: "bridge is not 127.0.0.1:PORT, [::1]:PORT or unix:/path" };
  return { ...settings, ask: (recipient, done) => askBridge.ask(where, recipient, done) };
}

/** The hook. Calls `next` once, within the timeout, whatever happens. */
exports.rollcall_rcpt = function (next, connection, params) {
  let isOver = false;
  let timer = null;
  let stop = () => {};

  // Also called by sockets and timers, where an error would end Haraka as well.
  const answer = (...args) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    try {
      stop();
      next(...args);
    } catch (error) {
      connection?.logerror?.(this, `after an answer: ${error.message}`);
    }
  };
  const fail = (why) => {
    if (isOver) return;
    const { result, dsn } = later();
    note(this, connection, { err: why });
    answer(result, dsn);
  };

  try {
    const rcpt = params?.[0];
    const recipient = addressOf(rcpt);
    const settings = this.rollcall;
    if (!isOurs(settings.domains, rcpt, recipient, connection)) return answer();
    if (settings.fault) return fail(`rollcall.ini: ${settings.fault}`);
    timer = setTimeout(() => fail("no answer in time"), 1000 * settings.timeout);
    stop = settings.ask(recipient, (error, line) => {
      if (error) return fail(error.message);
      const reply = read(line);
      if (reply === null) return fail("the answer is not an SMTP reply");
      note(this, connection, { [reply.result === constants.ok ? "pass" : "fail"]: "rcpt" });
      answer(reply.result, reply.dsn);
    });
    // An answer may have arrived before `ask` returned.
    if (isOver) stop();
  } catch (error) {
    fail(error.message);
  }
};

/** Whether Rollcall is asked; other plugins judge all others. A bare postmaster is everybody's (RFC 5321 §4.5.1). */
function isOurs(domains, rcpt, recipient, connection) {
  if (/^postmaster$/i.test(recipient)) return true;
  return domains === null ? !connection.relaying : domains.has(hostOf(rcpt));
}

/** Adds to the results, which Haraka logs. They contain no address. */
function note(plugin, connection, result) {
  try {
    connection?.transaction?.results?.add(plugin, result);
  } catch {
    // The client is gone, and its transaction with it.
  }
}

/** The recipient without angle brackets. Before Haraka 3.1 `address` was a method. */
function addressOf(rcpt) {
  const address = typeof rcpt.address === "function" ? rcpt.address() : rcpt.address;
  if (typeof address !== "string" || /[\r\n]/.test(address)) throw new Error("the recipient has no address");
  return address;
}

/** The domain as an A-label in lower case. */
function hostOf(rcpt) {
  return domainToASCII(String(rcpt.host ?? ""));
}
