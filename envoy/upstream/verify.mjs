// Takes a request only where the gate has signed it. npm install http-message-signatures structured-headers

import { createPublicKey, verify } from "node:crypto";
import { httpbis } from "http-message-signatures";
import { parseDictionary, serializeDictionary } from "structured-headers";

const TAG = "portcullis";
const requiredFields = ["@method", "@authority", "@path", "@query"];
const requiredParams = ["created", "expires", "keyid", "tag"];
const HOST = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$/;

// The URL that says of a request what it says itself: a parser of URLs reads a path from a Host, too, and
// resolves dot segments, which this service may not.
function urlOf({ url: target, headers: { host = "" } }) {
  const url = `http://${host.toLowerCase()}${target}`;
  const isPlain = HOST.test(host) && target.startsWith("/") && !/[#\\]/.test(target);
  return isPlain && new URL(url).href === url ? url : null;
}

// The headers that the gate vouches for; null where it vouches for nothing.
export async function vouched(request, keySet) {
  const { method } = request;
  const headers = { ...request.headers };
  try {
    const url = urlOf(request);
    if (url === null) return null;
    // Its own signature alone, whoever else's stand beside it.
    const own = (name) => new Map([[TAG, parseDictionary(headers[name]).get(TAG)]]);
    const [input, signature] = [own("signature-input"), own("signature")];
    headers["signature-input"] = serializeDictionary(input);
    headers.signature = serializeDictionary(signature);
    const keyLookup = async ({ keyid, tag }) => {
      const jwk = keySet.keys.find((key) => key.kid === keyid && key.crv === "Ed25519");
      if (tag !== TAG || !jwk) return null;
      const key = createPublicKey({ key: jwk, format: "jwk" });
      return { id: keyid, algs: ["ed25519"], verify: async (data, bytes) => verify(null, data, key, bytes) };
    };
    // `created` may be 5 seconds from now; `expires`, which this is for as well, may not be past.
    const config = { keyLookup, requiredFields, requiredParams, tolerance: 5 };
    if ((await httpbis.verifyMessage(config, { method, url, headers })) !== true) return null;
    if (!(input.get(TAG)[1].get("expires") >= Math.floor(Date.now() / 1000))) return null;
    const covered = input.get(TAG)[0].filter(([name, parameters]) => !name.startsWith("@") && parameters.size === 0);
    return Object.fromEntries(covered.map(([name]) => [name, request.headers[name]]));
  } catch {
    return null;
  }
}
