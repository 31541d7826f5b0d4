// Starts a bridge on 192.0.2.1 of a network of its own, asks it from several addresses, and prints what each was told.
import { spawn } from "node:child_process";
import { get } from "node:http";
import { createConnection } from "node:net";

const [file, ...args] = process.argv.slice(2);
const bridge = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
let log = "";
bridge.stderr.setEncoding("utf8").on("data", (text) => {
  log += text;
});
await new Promise((resolve, reject) => {
  bridge.once("exit", () => reject(new Error(log)));
  bridge.stdout.setEncoding("utf8").on("data", (text) => text.includes("ready") && resolve());
});

const line = (localAddress) =>
  new Promise((resolve) => {
    let text = "";
    const socket = createConnection({ host: "192.0.2.1", port: 10025, localAddress });
    socket.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    socket.on("error", () => undefined).on("close", () => resolve(text));
    socket.write("user@example.com\n");
  });

const metrics = (localAddress) =>
  new Promise((resolve, reject) => {
    get({ host: "192.0.2.1", port: 10026, path: "/metrics", localAddress, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode, text }));
    }).on("error", reject);
  });

const said = { line: {}, metrics: {} };
for (const from of ["127.0.0.1", "192.0.2.2", "192.0.2.3"]) said.line[from] = await line(from);
for (const from of ["192.0.2.2", "192.0.2.3"]) said.metrics[from] = (await metrics(from)).status;
said.counted = (await metrics("192.0.2.2")).text.match(/^rollcall_bridge_foreign_total\{.* [1-9]\d*$/gm);
bridge.kill("SIGTERM");
await new Promise((resolve) => bridge.once("close", resolve));
said.logged = log.split("\n").filter((each) => each.includes('"event":"foreign"'));
process.stdout.write(JSON.stringify(said));
