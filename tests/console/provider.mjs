// A real OpenID provider on loopback for the tests: whoever comes is signed in at once, as the person that /as/NAME named last.
//
// Takes one argument, JSON: port, clients, people (claims by name), and for TLS the files key and cert.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import Provider from 'oidc-provider';

const { port, clients, people, key, cert } = JSON.parse(process.argv[2]);
const issuer = key ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
let login = Object.keys(people)[0];

const provider = new Provider(issuer, {
  clients,
  claims: { openid: ['sub', 'name', 'preferred_username', 'roles'] },
  conformIdTokenClaims: false,
  cookies: { keys: ['a key of the tests'] },
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  async loadExistingGrant(ctx) {
    const { client, session } = ctx.oidc;
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid profile email');
    await grant.save();
    return grant;
  },
});
const callback = provider.callback();

async function answer(request, response) {
  if (request.url.startsWith('/as/')) {
    login = request.url.slice('/as/'.length);
    response.end('ok');
  } else if (request.url.startsWith('/interaction/')) {
    await provider.interactionFinished(request, response, { login: { accountId: login } });
  } else {
    callback(request, response);
  }
}

const server = key
  ? https.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, answer)
  : http.createServer(answer);
server.listen(port, key ? 'localhost' : '127.0.0.1', () => console.log('ready'));
