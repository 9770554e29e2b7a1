// Signs requests with the npm package http-message-signatures for the scenario runner: one JSON
// order a line in, one answer a line out.

import { createHmac, createPrivateKey, sign } from "node:crypto";
import { serve } from "./pipe.mjs";
import { httpbis } from "http-message-signatures";

const PSS = { padding: 6, saltLength: 64 }; // RSA_PKCS1_PSS_PADDING; RFC 9421 section 3.3.1
const SIGN = {
  "hmac-sha256": (key, data) => createHmac("sha256", Buffer.from(key.secret, "hex")).update(data).digest(),
  "rsa-pss-sha512": (key, data) => sign("sha512", data, { key: createPrivateKey(key.pem), ...PSS }),
  "rsa-v1_5-sha256": (key, data) => sign("sha256", data, createPrivateKey(key.pem)),
  "ecdsa-p256-sha256": (key, data) => sign("sha256", data, ec(key)),
  "ecdsa-p384-sha384": (key, data) => sign("sha384", data, ec(key)),
  ed25519: (key, data) => sign(null, data, createPrivateKey(key.pem)),
};

function ec(key) {
  return { key: createPrivateKey(key.pem), dsaEncoding: "ieee-p1363" };
}

async function answer(order) {
  if (order.hello) return { ready: true };
  const { algorithm, request } = order;
  const paramValues = { keyid: order.keyid, created: order.created === null ? null : date(order.created) };
  const params = ["created", "keyid"];
  if (order.expires !== null) add("expires", date(order.expires));
  if (order.alg) add("alg", algorithm);
  if (order.nonce !== null) add("nonce", order.nonce);
  if (order.tag !== null) add("tag", order.tag);
  function add(name, value) {
    params.push(name);
    paramValues[name] = value;
  }
  const headers = {};
  for (const [name, value] of request.headers) (headers[name] ??= []).push(value);
  const key = { id: order.keyid, alg: algorithm, sign: async (data) => SIGN[algorithm](order, data) };
  const config = { key, name: order.label, fields: order.components, params, paramValues };
  const signed = await httpbis.signMessage(config, { method: request.method, url: request.url, headers });
  return { signature_input: signed.headers["Signature-Input"], signature: signed.headers["Signature"] };
}

function date(seconds) {
  return new Date(seconds * 1000);
}

await serve(answer);
