/** The DNS of the namespace. Each domain's mail is for one server, except that of our domain, which is for this host. */
import { createSocket } from "node:dgram";
import { parentPort } from "node:worker_threads";
import { WORLD } from "./addresses.ts";

const [A, MX] = [1, 15];

const server = createSocket("udp4");
server.on("message", (question, { port, address }) => server.send(answerTo(question), port, address));
server.bind(53, "127.0.0.1", () => parentPort?.postMessage("ready"));

function answerTo(question: Buffer): Buffer {
  let end = 12;
  const labels: string[] = [];
  for (let length = question[end] ?? 0; length > 0; length = question[end] ?? 0) {
    labels.push(question.toString("latin1", end + 1, end + 1 + length).toLowerCase());
    end += length + 1;
  }
  const asked = question.subarray(12, end + 5);
  const type = question.readUInt16BE(end + 1);
  const name = labels.join(".");
  const isReverse = name.endsWith(".arpa");
  const isOurs = name === "example.com" || name.endsWith("mx.example.org");
  let data: Buffer | null = null;
  if (type === A && !isReverse) data = Buffer.from((isOurs ? "198.51.100.1" : WORLD).split(".").map(Number));
  if (type === MX && !isReverse) {
    const exchange = isOurs ? "mx.example.org" : "mail.world.example";
    const wire = exchange
      .split(".")
      .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
    data = Buffer.concat([Buffer.from([0, 10]), ...wire, Buffer.from([0])]);
  }
  const head = Buffer.alloc(12);
  question.copy(head, 0, 0, 2);
  // A response of an authority that recurses; NXDOMAIN for names of addresses.
  head.writeUInt16BE(0x8580 + (isReverse ? 3 : 0), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(data === null ? 0 : 1, 6);
  if (data === null) return Buffer.concat([head, asked]);
  const record = Buffer.alloc(12);
  record.writeUInt16BE(0xc00c, 0);
  record.writeUInt16BE(type, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(60, 6);
  record.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, asked, record, data]);
}
