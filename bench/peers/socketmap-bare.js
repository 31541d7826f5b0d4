// The ceiling: a socketmap service in Node that looks for one word in what it reads, and says no if it finds it and
// yes otherwise, one question at a time. Listens on the path in SOCKET and on loopback. UNKNOWN is the word.
import { createServer } from "node:net";

const { SOCKET: path, UNKNOWN: unknown } = process.env;

const server = () =>
  createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (piece) =>
      socket.write(piece.includes(unknown) ? "9:NOTFOUND ," : "14:OK deliverable,"),
    );
  });

server().listen(path, () => {
  const tcp = server().listen(0, "127.0.0.1", () => console.log(`127.0.0.1:${tcp.address().port} is ready`));
});
