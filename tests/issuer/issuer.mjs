// A real issuer for the tests: oidc-provider of npm on loopback, with keys that rotate. One JSON order
// a line in, one answer a line out:
//   {"hello": true}                        -> {"ready": true}
//   {"start": {"issuer": URL}}             -> {"port": N}: it calls itself so, whatever host it is reached by; with
//     "tls": {"cert": PEM, "key": PEM} also {"tls_port": M}; with "browser": {"id", "secret", "callback"} there is a
//     client whose users sign in, as whoever they say they are
//   {"mint": {"count": N, "format": F}}    -> {"tokens": [...]}: client_credentials, F is jwt or opaque
//   {"rotate": "add"}                      -> {"kid": K}: a new key signs, and those before it stay in the set
//   {"rotate": "drop"}                     -> {"kid": K}: only the key that signs stays
//   {"asked": true}                        -> {"asked": {PATH: N}}: requests from elsewhere, by path

import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { serve } from "../minter/pipe.mjs";
import Provider, { errors } from "oidc-provider";

const CLIENT = { id: "gate", secret: "a secret of the tests' own" };
const RESOURCES = { jwt: "urn:orders", opaque: "urn:opaque" };
const OURS = "x-from-the-script";

// A notice of the provider's would be taken for an answer.
console.info = console.error;

const keys = [];
const asked = {};
let issuer;
let browser;
let provider;
let port;

function addKey() {
  // In turn, so that a set has both kinds.
  const alg = keys.length % 2 === 0 ? "ES256" : "RS256";
  const { privateKey } =
    alg === "ES256"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: 2048 });
  keys.unshift({ ...privateKey.export({ format: "jwk" }), kid: randomUUID(), alg, use: "sig" });
}

// Its key set is fixed when it is made, so a rotation makes another.
function renew() {
  const [{ alg, kid }] = keys;
  const idToken = { id_token_signed_response_alg: alg };
  provider = new Provider(issuer, {
    jwks: { keys },
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
        ...idToken,
      },
      ...(browser ? [{ ...browser, ...idToken }] : []),
    ],
    clientDefaults: idToken,
    scopes: ["openid", "offline_access", "orders:read"],
    issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
    ttl: { AccessToken: 600, ClientCredentials: 600 },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: Boolean(browser) },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        // A code that was asked for with a resource is good for a token for it.
        useGrantedResource: () => true,
        getResourceServerInfo(_, resource) {
          const common = { audience: "orders", scope: "orders:read" };
          if (resource === RESOURCES.jwt) return { ...common, accessTokenFormat: "jwt", jwt: { sign: { alg, kid } } };
          if (resource === RESOURCES.opaque) return { ...common, accessTokenFormat: "opaque" };
          throw new errors.InvalidTarget();
        },
      },
    },
  });
  // The tests stand behind TLS that is not there.
  provider.proxy = true;
}

async function start(order) {
  issuer = order.issuer;
  browser = order.browser && {
    client_id: order.browser.id,
    client_secret: order.browser.secret,
    redirect_uris: [order.browser.callback],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
  };
  addKey();
  renew();
  const { host } = new URL(issuer);
  const serve = (request, response) => {
    if (!request.headers[OURS]) asked[request.url] = (asked[request.url] ?? 0) + 1;
    request.headers.host = host;
    request.headers["x-forwarded-proto"] = "https";
    provider.callback()(request, response);
  };
  port = await listen(createServer(serve));
  const tls_port = order.tls && (await listen(createTlsServer(order.tls, serve)));
  return { port, tls_port };
}

async function listen(server) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

async function token(format) {
  const { id, secret } = CLIENT;
  const basic = Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString("base64");
  const answer = await fetch(`http://127.0.0.1:${port}/token`, {
    method: "POST",
    headers: { authorization: `Basic ${basic}`, [OURS]: "yes" },
    body: new URLSearchParams({ grant_type: "client_credentials", resource: RESOURCES[format], scope: "orders:read" }),
  });
  const said = await answer.json();
  if (!said.access_token) throw new Error(JSON.stringify(said));
  return said.access_token;
}

async function answer(order) {
  if (order.hello) return { ready: true };
  if (order.start) return start(order.start);
  if (order.mint) return { tokens: await Promise.all(Array.from({ length: order.mint.count }, () => token(order.mint.format))) };
  if (order.rotate) {
    if (order.rotate === "add") addKey();
    else keys.length = 1;
    renew();
    return { kid: keys[0].kid };
  }
  return { asked };
}

await serve(answer);
process.exit(0);
