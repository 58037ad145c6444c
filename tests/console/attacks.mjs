// Every route for every role, and what other origins, hosts, sessions and odd addresses get: nothing.

import http from 'node:http';
import { accesses, check, given, link, open, program, same, says, signIn, text, walk } from './browser.mjs';

const HOST = new URL(given.origin).host;
const EVERY = ['reader', 'reviewer', 'registrar', 'mail-admin', 'approver', 'archivist', 'insight'];
const READERS = ['reader', 'reviewer', 'registrar', 'mail-admin'];
const OVERSEERS = ['reviewer', 'approver', 'archivist', 'insight'];
const OPERATORS = ['registrar', 'mail-admin'];
const ID = 'demo-1-000000000001';

/// Who may open what: method, address, form, roles.
const ROUTES = [
  ['GET', '/', '', EVERY],
  ['GET', '/search', '', READERS],
  ['POST', '/search', 'purpose=fel+i+flödet&record=' + ID, READERS],
  ['GET', '/mail/' + ID, '', READERS],
  ['POST', '/mail/' + ID, 'purpose=fel+i+flödet', READERS],
  ['GET', '/held', '', OPERATORS],
  ['POST', '/held', 'purpose=morgonens+genomgång&do=list', OPERATORS],
  ['GET', '/held/4F00000000', '', OPERATORS],
  ['POST', '/held/4F00000000', 'purpose=morgonens+genomgång&do=release', OPERATORS],
  ['GET', '/receipts', '', OPERATORS],
  ['GET', '/receipts/1', '', OPERATORS],
  ['POST', '/receipts/1', 'id=1&do=retry', OPERATORS],
  ['POST', '/receipts/1', 'id=1&do=cancel', OPERATORS],
  ['GET', '/disclosures', '', OVERSEERS],
  ['POST', '/disclosures', 'do=open&reference=x', ['reviewer']],
  ['GET', '/disclosures/request?reference=x', '', ['reviewer', 'approver']],
  ['POST', '/disclosures/request', 'do=review&reference=x&choice=keep&rest=yes', ['reviewer']],
  ['POST', '/disclosures/request', 'do=approve&reference=x&entry=1', ['approver']],
  ['POST', '/disclosures/request', 'do=files&reference=x', ['reviewer', 'approver']],
  ['POST', '/disclosures/request', 'do=close&reference=x&answer=refused', ['reviewer']],
  ['GET', '/follow-up', '', ['reviewer', 'approver', 'insight']],
  ['POST', '/follow-up', 'purpose=uppföljning&seed=1&do=show', ['reviewer', 'approver', 'insight']],
  ['GET', '/decisions', '', OVERSEERS],
  ['POST', '/decisions', 'do=add&reference=x', ['reviewer']],
  ['POST', '/decisions', 'do=approve&reference=x', ['approver']],
  ['POST', '/decisions', 'do=close&reference=x', ['reviewer', 'approver']],
  ['GET', '/legal-holds', '', OVERSEERS],
  ['POST', '/legal-holds', 'do=add', ['reviewer']],
  ['POST', '/legal-holds', 'do=release&reference=x', ['reviewer']],
  ['GET', '/retention', '', OVERSEERS],
  ['POST', '/retention', 'do=dry-run&decision=x', ['approver', 'archivist']],
  ['POST', '/retention', 'do=run&decision=x', ['approver', 'archivist']],
  ['GET', '/readers', '', EVERY],
  ['POST', '/readers', 'do=list', EVERY],
  ['GET', '/rules', '', ['reviewer', 'mail-admin', 'approver', 'insight']],
  ['POST', '/rules', 'purpose=uppföljning', ['reviewer', 'mail-admin', 'approver']],
  ['GET', '/forwarders', '', ['reviewer', 'mail-admin']],
  ['POST', '/forwarders', 'purpose=uppföljning', ['reviewer', 'mail-admin']],
  ['GET', '/reports', '', ['reviewer', 'approver', 'insight']],
  ['POST', '/reports/month', 'purpose=uppföljning', ['reviewer', 'approver', 'insight']],
  ['POST', '/reports/quarter', 'purpose=uppföljning', ['reviewer', 'approver', 'insight']],
  ['POST', '/reports/sample', 'purpose=uppföljning&seed=1', ['reviewer', 'insight']],
];

/// A request as anything may make it; the answer.
function ask(method, path, { headers = {}, body = '', host = HOST } = {}) {
  return new Promise((resolve, reject) => {
    const form = body ? { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) } : {};
    const options = { host: '127.0.0.1', port: new URL(given.origin).port, method, path, headers: { ...form, ...headers, host }, setHost: false };
    const request = http.request(options, answer => {
      const parts = [];
      answer.on('data', part => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(parts).toString() }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

const OWN = { origin: given.origin, 'sec-fetch-site': 'same-origin' };

/// Signs in without a browser: the cookie of a session.
async function cookie(...roles) {
  const address = link(...roles);
  const answer = await ask('POST', new URL(address).pathname, { headers: OWN });
  return answer.headers['set-cookie'][0].split(';')[0];
}

function safe(answer, what) {
  check((answer.headers['content-security-policy'] ?? '').startsWith("default-src 'none'"), `${what}: no policy`);
  same(answer.headers['x-frame-options'], 'DENY', `${what}: frames`);
  same(answer.headers['x-content-type-options'], 'nosniff', `${what}: types`);
  same(answer.headers['cache-control'], 'no-store', `${what}: caches`);
}

await walk({
  async 'every route for every role'() {
    const ask_all = async role => {
      const session = await cookie(role);
      let refused = 0;
      for (const [method, path, form, roles] of ROUTES) {
        const answer = await ask(method, path, { headers: { ...OWN, cookie: session }, body: encodeURI(form) });
        const what = `${method} ${path} ${form} as ${role}`;
        const may = roles.includes(role);
        // What is asked for may not exist, and the page says so.
        check(may ? [200, 303, 422].includes(answer.status) : answer.status === 403, `${what}: ${answer.status}`);
        safe(answer, what);
        if (!may) refused += 1;
        if (!may) check(answer.text.includes('får inte göra det här'), `${what}: the page does not say why`);
      }
      return [role, refused];
    };
    const counts = Object.fromEntries(await Promise.all(EVERY.map(ask_all)));
    const noted = accesses().filter(entry => entry.via === 'console' && /may not use/.test(entry.refused ?? ''));
    for (const [role, count] of Object.entries(counts)) {
      const own = noted.filter(entry => entry.role === role && entry.subject === 'root');
      same(own.length, count, `refusals of ${role} in the access log`);
    }
    const searches = accesses().filter(entry => entry.verb === 'search' && entry.via === 'console' && !entry.refused);
    same([...new Set(searches.map(entry => entry.role))].sort(), [...READERS].sort(), 'whose searches are in the access log');
    check(searches.every(entry => entry.subject === 'root' && entry.purpose === 'fel i flödet'), 'who searched, and why');
  },

  async 'roles and acts that are not one\'s own'() {
    const session = await cookie('reader');
    const post = (path, body) => ask('POST', path, { headers: { ...OWN, cookie: session }, body });
    same((await post('/role', 'role=reviewer')).status, 303, 'a role that one has not');
    same((await ask('GET', '/decisions', { headers: { cookie: session } })).status, 403, 'its pages');
    const labelled = await post('/mail/' + ID, `purpose=felet&do=label&record=${ID}&rule=auto-forward&judgement=right&comment=x`);
    check(labelled.text.includes('får inte göra det här (log label)'), 'a judgement by a reader');
    // A field is one argument of a command, and none of its options.
    const odd = await post('/search', 'purpose=felet+i+fl&since=--config%3D%2Fetc%2Fpasswd&record=--help');
    check(!odd.text.includes('root:') && !odd.text.includes('Usage'), 'options in fields');
    const others = await post('/readers', 'do=list&by=anna');
    check(!others.text.includes('>anna<'), 'what others read');
  },

  async 'nothing from another origin'() {
    const session = await cookie('reviewer');
    const body = 'do=add&reference=KS+666&by=x&date=2026-01-01&valid_until=2027-12-31&purpose=x';
    for (const headers of [
      {},
      { origin: 'http://example.org' },
      { origin: 'null' },
      { origin: 'http://localhost:1' },
      { origin: given.origin.replace('localhost', '127.0.0.1') },
      { origin: given.origin + '.example.org' },
      { 'sec-fetch-site': 'cross-site', origin: given.origin },
      { 'sec-fetch-site': 'same-site', origin: given.origin },
      { 'sec-fetch-site': 'none', origin: given.origin },
      { 'sec-fetch-site': 'same-origin', origin: 'http://example.org' },
    ]) {
      for (const path of ['/decisions', '/sign-out', '/role', '/language']) {
        const answer = await ask('POST', path, { headers: { ...headers, cookie: session }, body });
        same(answer.status, 403, `POST ${path} with ${JSON.stringify(headers)}`);
        same(answer.headers['set-cookie'], undefined, `a cookie for ${JSON.stringify(headers)}`);
        safe(answer, path);
      }
    }
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
      const answer = await ask(method, '/decisions', { headers: { cookie: session } });
      check([403, 405].includes(answer.status), `${method}: ${answer.status}`);
    }
    const list = await ask('GET', '/decisions', { headers: { cookie: session } });
    check(list.status === 200 && !list.text.includes('KS 666'), 'a form from another origin did something');
    for (const host of ['example.org', '127.0.0.1', 'localhost', HOST + '.', HOST.toUpperCase(), `${HOST}@example.org`, 'localhost:1', '']) {
      const answer = await ask('GET', '/', { host, headers: { cookie: session } });
      check([421, 400].includes(answer.status), `Host: ${host}: ${answer.status}`);
      safe(answer, `Host: ${host}`);
      same((await ask('POST', '/sign-out', { host, headers: { ...OWN, cookie: session } })).status, answer.status, `a form at ${host}`);
    }
  },

  async 'a browser keeps to it'() {
    // A page elsewhere on this host, which tries what it can with a session in the same browser.
    const evil = http.createServer((request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(`<iframe src="${given.origin}/" name=f></iframe>
        <form id=a method=post action="${given.origin}/decisions"><input name=do value=add><input name=reference value="KS 667"></form>
        <img src="${given.origin}/icon.svg"><script>document.forms.a.submit()</script>`);
    });
    await new Promise(ready => evil.listen(0, '127.0.0.1', ready));
    try {
      const page = await open({ scripts: true, expected: [403] });
      await signIn(page, link('reviewer'));
      page.others = true;
      const other = await page.context().newPage();
      const answered = other.waitForResponse(response => response.url().endsWith('/decisions'));
      await other.goto(`http://localhost:${evil.address().port}/`);
      same((await answered).status(), 403, 'the form of another page');
      const framed = other.frames().filter(frame => frame.name() === 'f');
      for (const frame of framed) check(!(await frame.content()).includes('Översikt'), 'the console in a frame');
      await page.goto(given.origin + '/decisions');
      check(!(await text(page, 'main')).includes('KS 667'), 'it did something');
    } finally {
      evil.closeAllConnections();
      evil.close();
    }
  },

  async 'sessions'() {
    for (const [, path] of ROUTES.filter(([method]) => method === 'GET')) {
      const answer = await ask('GET', path);
      same([answer.status, answer.headers.location], [303, '/sign-in'], `GET ${path} without a session`);
      safe(answer, path);
    }
    for (const [, path, form] of ROUTES.filter(([method]) => method === 'POST')) {
      const answer = await ask('POST', path, { headers: OWN, body: encodeURI(form) });
      same([answer.status, answer.headers.location], [303, '/sign-in'], `POST ${path} without a session`);
    }
    const nowhere = await ask('GET', '/finns-inte');
    same([nowhere.status, nowhere.headers.location], [303, '/sign-in'], 'no page');

    // A token that somebody else set is not taken over.
    const planted = `__Host-postvakt=${'a1'.repeat(32)}`;
    const address = link('reader');
    const answer = await ask('POST', new URL(address).pathname, { headers: { ...OWN, cookie: planted } });
    const set = answer.headers['set-cookie'][0];
    check(!set.includes('a1a1') && /^__Host-postvakt=[0-9a-f]{64}; /.test(set), `the session: ${set}`);
    for (const flag of ['Secure', 'HttpOnly', 'SameSite=Strict', 'Path=/']) check(set.includes(`; ${flag}`), `${flag}: ${set}`);
    check(!/Domain|Max-Age|Expires/i.test(set), `the session: ${set}`);
    same((await ask('GET', '/', { headers: { cookie: planted } })).status, 303, 'a planted token');
    const own = set.split(';')[0];
    same((await ask('GET', '/', { headers: { cookie: own } })).status, 200, 'the session');
    same((await ask('GET', '/', { headers: { cookie: `${planted}; ${own}` } })).status, 303, 'two tokens');
    same((await ask('POST', new URL(address).pathname, { headers: OWN })).status, 404, 'a link that was used');
    // Whoever signs in again has a new session, and the former one is over.
    const second = await ask('POST', new URL(link('reader')).pathname, { headers: { ...OWN, cookie: own } });
    check(second.headers['set-cookie'][0].split(';')[0] !== own, 'a new session');
    same((await ask('GET', '/', { headers: { cookie: own } })).status, 303, 'the former session');
    const out = await ask('POST', '/sign-out', { headers: { ...OWN, cookie: second.headers['set-cookie'][0].split(';')[0] } });
    check(out.headers['set-cookie'][0].includes('Max-Age=0'), 'signing out');
    same((await ask('GET', '/', { headers: { cookie: second.headers['set-cookie'][0].split(';')[0] } })).status, 303, 'after signing out');

    const page = await open();
    await signIn(page, link('reader'));
    const kept = (await page.context().cookies()).find(one => one.name === '__Host-postvakt');
    same([kept.secure, kept.httpOnly, kept.sameSite, kept.expires, kept.path], [true, true, 'Strict', -1, '/'], 'the cookie in the browser');
  },

  async 'addresses'() {
    const session = await cookie('reviewer');
    const headers = { ...OWN, cookie: session };
    for (const back of ['//example.org', 'https://example.org/', '/\\example.org', '\\\\example.org', '/\t/example.org', '/a\r\nX-A: b', 'javascript:alert(1)', '///example.org', ' //example.org']) {
      const answer = await ask('POST', '/language', { headers, body: 'lang=en&back=' + encodeURIComponent(back) });
      same([answer.status, answer.headers.location, answer.headers['x-a']], [303, '/', undefined], `back to ${JSON.stringify(back)}`);
    }
    const kept = await ask('POST', '/language', { headers, body: 'lang=en&back=%2Fdecisions' });
    same(kept.headers.location, '/decisions', 'back to a page of the console');
    for (const path of ['/mail/..%2f..%2fetc%2fpasswd', '/mail/%00', '/mail/a%0d%0ab', '/mail/%ff%fe', '/mail/--config=%2fetc%2fpasswd', '/mail/-h', '/mail/' + 'a'.repeat(7_000),
      '/held/..%2f..%2f', '/receipts/..%2f', '/receipts/%27%20OR%201=1', '/reports/..%2f', '/style.css/..%2f', '/../../etc/passwd', '/mail/%3Cscript%3Ealert(1)%3C/script%3E', '/%2e%2e/%2e%2e/etc/passwd', '//example.org/', '/sign-in/link/..%2f', '/sign-in/link/' + 'z'.repeat(64)]) {
      for (const [method, body] of [['GET', ''], ['POST', 'purpose=fel+i+fl&do=show']]) {
        const answer = await ask(method, path, { headers, body });
        check(answer.status < 500, `${method} ${path.slice(0, 60)}: ${answer.status}`);
        check(!answer.text.includes('root:x:') && !answer.text.includes('<script'), `${method} ${path.slice(0, 60)}: ${answer.text.slice(0, 200)}`);
        safe(answer, path.slice(0, 60));
      }
    }
    const long = await ask('GET', '/mail/' + 'a'.repeat(600_000), { headers }).catch(error => ({ status: error.code }));
    check([414, 431, 400, 'ECONNRESET', 'EPIPE'].includes(long.status), `a very long address: ${long.status}`);
    const large = await ask('POST', '/search', { headers, body: 'purpose=' + 'a'.repeat(300_000) }).catch(error => ({ status: error.code }));
    check([413, 'ECONNRESET', 'EPIPE'].includes(large.status), `a very large form: ${large.status}`);
    same((await ask('GET', '/', { headers })).status, 200, 'the console goes on');
    program('log', 'verify', '--config', given.config);
  },
});
