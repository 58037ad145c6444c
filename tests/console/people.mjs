// People who sign in through a reverse proxy.

import http from 'node:http';
import { given, open } from './browser.mjs';

/// Who uses the browser: subject, name, roles.
const PEOPLE = {
  registrar: ['registrator-1', 'Registrator Ett', 'registrar'],
  second: ['registrator-2', 'Registrator Två', 'registrar;mail-admin'],
  admin: ['postadmin-1', 'Postadministratör Ett', 'mail-admin'],
  reviewer: ['granskare-1', 'Granskare Ett', 'reviewer;approver'],
  approver: ['beslut-1', 'Beslutsfattare Ett', 'approver'],
  stranger: ['okand-1', 'Okänd', 'something-else'],
};

// A reverse proxy that knows who it is by a field of the browser's, and lets no such field through.
const proxy = http.createServer((request, response) => {
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !name.startsWith('x-')));
  const [subject, name, roles] = PEOPLE[request.headers['x-person']] ?? [];
  if (subject) Object.assign(headers, { 'x-remote-user': subject, 'x-remote-name': Buffer.from(name).toString('latin1'), 'x-remote-roles': roles });
  const on = http.request({ socketPath: given.socket, method: request.method, path: request.url, headers }, answer => {
    response.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(response);
  });
  on.on('error', () => response.destroy());
  request.pipe(on);
});
await new Promise(ready => proxy.listen(given.port, 'localhost', ready));

export const as = async (who, more = {}) => {
  const page = await open({ headers: { 'x-person': who }, ...more });
  await page.goto(given.origin + '/');
  return page;
};

export function end() {
  proxy.closeAllConnections();
  proxy.close();
}
