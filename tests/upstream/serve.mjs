// A service behind the gate, for tests/upstream.rs: it tells what the gate vouches for, and refuses what it does not.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { vouched } from "./verify.mjs";

let skew = 0;
const clock = Date.now;
Date.now = () => clock() + 1000 * skew;

const server = createServer(async (request, response) => {
  const { "signature-input": input, signature, "x-skew": seconds = "0" } = request.headers;
  skew = Number(seconds);
  const told = await vouched(request, JSON.parse(readFileSync(process.argv[2], "utf8")));
  response.writeHead(told === null ? 401 : 200, { "content-type": "application/json" });
  response.end(JSON.stringify({ vouched: told, proof: [input, signature] }));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
