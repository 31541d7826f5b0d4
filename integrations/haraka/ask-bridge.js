const net = require("node:net");

/** Longest reply line, octets. */
const MAX_REPLY = 1000;

/**
 * Reads where a bridge listens.
 *
 * @param {string} text `127.0.0.1:10025`, `[::1]:10025` or `unix:/path`
 * @returns {object | null} for net.connect; null if it is neither
 */
exports.parse = (text) => {
  if (text.startsWith("unix:/")) return { path: text.slice(5) };
  const [, v4, v6, port] = /^(?:([\d.]+)|\[([\da-fA-F:.]+)\]):(\d{1,5})$/.exec(text) ?? [];
  const host = v4 ?? v6;
  return host === undefined || net.isIP(host) === 0 ? null : { host, port: Number(port) };
};

/**
 * Asks the line listener of a bridge about one recipient.
 *
 * @param {object} where from {@link exports.parse}
 * @param {string} recipient without a line end
 * @param {(error: Error | null, line?: string) => void} done called once
 * @returns {() => void} stops asking
 */
exports.ask = (where, recipient, done) => {
  const socket = net.connect(where);
  let text = "";
  socket.setEncoding("latin1");
  socket.on("error", (error) => done(error));
  socket.on("data", (part) => {
    text += part;
    if (text.length > MAX_REPLY) socket.destroy(new Error("the reply of the bridge is too long"));
  });
  // Half a line may be the beginning of another one.
  socket.on("close", () => {
    const [, line] = /^([^\r\n]+)\r?\n$/.exec(text) ?? [];
    if (line === undefined) done(new Error("the bridge closed the connection without a whole reply"));
    else done(null, line);
  });
  socket.write(`${recipient}\n`);
  return () => socket.destroy();
};
