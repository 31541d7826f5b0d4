// Opens many connections in a process of its own: both ends in one would need twice the file descriptors.
// argv: port, how many. Says `open`, and after a line on its input asks on the first and the last of them.
import { createConnection } from "node:net";

const [port, count] = process.argv.slice(2).map(Number);
const question = "24:access alice@example.com,";
const connect = () =>
  new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: "127.0.0.1" }, () => resolve(socket)).once("error", reject);
  });
const ask = (socket) =>
  new Promise((resolve) => {
    socket.once("data", (bytes) => resolve(bytes.toString())).once("close", () => resolve("closed"));
    socket.write(question);
  });

const clients = [];
while (clients.length < count) {
  clients.push(
    ...(await Promise.all(Array.from({ length: Math.min(500, count - clients.length) }, connect))),
  );
}
process.stdout.write("open\n");
process.stdin.once("data", async () => {
  process.stdout.write(`${await ask(clients[0])} ${await ask(clients.at(-1))}\n`);
  process.exit(0);
});
