// Takes a request only where the gate has signed it. npm install http-message-signatures structured-headers

import { createPublicKey, verify } from "node:crypto";
import { httpbis } from "http-message-signatures";
import { parseDictionary, serializeDictionary } from "structured-headers";

const TAG = "portcullis";
const requiredFields = ["@method", "@authority", "@path", "@query"];
const requiredParams = ["created", "expires", "keyid", "tag"];

// The headers that the gate vouches for; null where it vouches for nothing.
export async function vouched(request, keySet) {
  const { method, url: target } = request;
  const url = `http://${request.headers.host}${target}`;
  const headers = { ...request.headers };
  try {
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
    const config = { keyLookup, requiredFields, requiredParams };
    if ((await httpbis.verifyMessage(config, { method, url, headers })) !== true) return null;
    const covered = input.get(TAG)[0].filter(([name, parameters]) => !name.startsWith("@") && parameters.size === 0);
    return Object.fromEntries(covered.map(([name]) => [name, request.headers[name]]));
  } catch {
    return null;
  }
}
