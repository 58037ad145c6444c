// People do their work over the demonstration's log: with the mouse and scripts off, and with the keyboard alone.

import { execFileSync } from 'node:child_process';

import { accesses, asRole, check, given, go, key, link, open, press, program, same, says, signIn, tabTo, text, walk } from './browser.mjs';

const DAY = new Date().toISOString().slice(0, 10);
const QUARTER = `${DAY.slice(0, 4)}-Q${Math.ceil(Number(DAY.slice(5, 7)) / 3)}`;
const NEXT_YEAR = String(Number(DAY.slice(0, 4)) + 1) + '-12-31';

async function search(page, { basis = 'operation', fields = {} }) {
  await go(page, '/search');
  await page.check(`#f-basis-${basis}`);
  for (const [id, value] of Object.entries(fields)) await page.fill(`#f-${id}`, value);
  await press(page, 'button[value=search]');
}

/// The rows of a result are as many as it says.
async function wholeResult(page, what) {
  const rows = await page.locator('table.rows tbody tr').count();
  check(rows > 0, `${what}: no rows: ${await text(page, 'main')}`);
  const said = await text(page, '.end');
  check(said.includes(String(rows)), `${what}: ${rows} rows, and it says: ${said}`);
  return rows;
}

async function decide(page, reference, purpose) {
  const today = { by: 'Kommunstyrelsen', date: DAY, 'valid_until': NEXT_YEAR };
  await page.fill('#f-reference', reference);
  for (const [name, value] of Object.entries(today)) await page.fill(`#f-${name}`, value);
  await page.fill('#f-purpose', purpose);
}

let page;

await walk({
  async 'the link signs in once'() {
    page = await open({ expected: [404] });
    await signIn(page, given.link);
    await says(page, 'h1', 'Översikt');
    same(await page.locator('nav.side a').count(), 3, 'the pages of a reader');
    const again = await open({ expected: [404] });
    await again.goto(given.link);
    await says(again, '.flash.problem', /länk/i);

    await go(page, '/search');
    await page.fill('#f-purpose', 'felsökning av fördröjd post');
    await page.check('#f-basis-decision');
    await page.fill('#f-decision_other', 'KS 2026/1');
    page.expected = [422];
    await press(page, 'button[value=search]');
    await says(page, '.end', 'Rollen Läsare läser bara för drift');

    await search(page, { fields: { purpose: 'felsökning av fördröjd post' } });
    await wholeResult(page, 'a search for operation');
    await press(page, 'table.rows tbody tr:first-child td.open button');
    await says(page, '#timeline', 'Vad som hände');
    check(page.url().includes('/mail/demo-'), `the mail: ${page.url()}`);

    await go(page, '/readers');
    await press(page, 'button[value=list]');
    const rows = await page.locator('table.rows tbody tr').allInnerTexts();
    check(rows.filter(row => row.includes('Läsare, webben')).length >= 3, `one's own accesses: ${rows.join('\n')}`);
  },

  async 'a reviewer decides and reads by it'() {
    page = await open();
    await signIn(page, link('reviewer', 'registrar', 'mail-admin', 'approver', 'archivist', 'insight'));
    await go(page, '/decisions');
    await decide(page, 'KS 2026/17', 'tillsyn av vidarebefordran');
    await press(page, 'button[value=add]');
    await says(page, '.flash.done', /./);
    await says(page, 'table.rows', 'KS 2026/17');
    await says(page, 'table.rows', 'tillsyn av vidarebefordran');

    await go(page, '/search');
    await page.check('#f-basis-decision');
    await page.selectOption('#f-decision', 'KS 2026/17');
    await press(page, 'button[value=search]');
    const all = await wholeResult(page, 'a search by a decision');
    check(all > 50, `the log of the demonstration: ${all}`);
    await says(page, '.asked', 'KS 2026/17');

    await press(page, 'details.again summary ~ form a, .head a');
    check(page.url().includes('/search?'), `the address to keep: ${page.url()}`);

    await search(page, { basis: 'own-request', fields: { own_request: 'anna@exempelby.se' } });
    await says(page, '.end', /./, 'one\'s own request');
    await search(page, { basis: 'request', fields: { request: 'KS 2026/18', subject: 'faktura' } });
    await says(page, '.end', /./, 'a request');

    // A mail with a finding, which is judged.
    await go(page, '/search');
    await page.check('#f-basis-decision');
    await page.selectOption('#f-decision', 'KS 2026/17');
    await page.selectOption('#f-rule', 'auto-forward');
    await press(page, 'button[value=search]');
    await wholeResult(page, 'a search by a rule');
    await press(page, 'table.rows tbody tr:first-child td.open button');
    await says(page, '.findings', /./);
    await page.click('.judge summary');
    await page.check('#j0-right');
    await page.fill('#j0-comment', 'Vidarebefordran var avsiktlig.');
    await press(page, '.judge button[value=label]');
    await says(page, '.flash.done', /./, 'the judgement');

    await go(page, '/legal-holds');
    await page.fill('#f-reference', 'Dnr 2026/44');
    await page.fill('#f-party', 'anna@exempelby.se');
    await press(page, 'button[value=add]');
    await says(page, 'table.rows', 'Dnr 2026/44');
    await press(page, 'table.rows tr:has-text("Dnr 2026/44") button[value=release]');
    await says(page, '.flash.done', /./, 'the release of a hold');
    const holds = await page.locator('table.rows tbody th').allInnerTexts();
    same(holds, ['KS 2026/18'], 'the holds: that of the request is left');

    await go(page, '/rules');
    await page.fill('#f-purpose', 'uppföljning av regler');
    await press(page, 'button[value=report]');
    await says(page, 'article.rule', 'Automatisk');
    await go(page, '/forwarders');
    await page.fill('#f-purpose', 'uppföljning av vidarebefordran');
    await press(page, 'button[value=list]');
    check(await page.locator('table.rows tbody tr').count() > 0, `forwarders: ${await text(page, 'main')}`);

    await go(page, '/reports');
    await page.fill('#month-period', DAY.slice(0, 7));
    await press(page, 'button[value=month]');
    await page.fill('#f-purpose', 'månadsrapport');
    await press(page, 'main form button.main');
    await says(page, 'main', /Verifier|verifier|kontroll/i, 'the month');
    check(await page.locator('svg[role=img]').count() >= 3, 'the charts of the month');
    await go(page, '/reports');
    await press(page, 'button[value=quarter]');
    await page.fill('#f-purpose', 'kvartalsrapport');
    if (await page.locator('#f-period').count()) await page.fill('#f-period', QUARTER);
    await press(page, 'main form button.main');
    check(await page.locator('svg[role=img]').count() >= 3, `the charts of the quarter: ${await text(page, 'main')}`);
    await go(page, '/reports');
    await page.click('a[href="/reports/sample"]');
    await page.fill('#f-purpose', 'stickprov');
    await page.fill('#f-seed', 'lottonummer 1 2 3');
    await page.fill('#f-quarter', QUARTER);
    await press(page, 'button[value=sample]');
    check(await page.locator('table.rows tbody tr').count() > 0, `the sample: ${await text(page, 'main')}`);

    // The follow-up of a quarter, part by part, is signed; the next one says so.
    await go(page, '/follow-up');
    await page.fill('#f-purpose', 'uppföljning av kvartalet');
    await page.fill('#f-seed', '7 13 21');
    await press(page, 'button[value=show]');
    const parts = await page.locator('input[name=seen]').count();
    check(parts === 7, `the parts of a follow-up: ${parts}`);
    await page.fill('#f-remark', 'inget att anmärka');
    await page.fill('#f-case', 'KS 2026/300');
    for (let part = 1; part <= parts; part++) await page.check(`#seen${part}`);
    await press(page, 'button[value=sign]');
    await says(page, '.flash.done', 'KS 2026/300');
    const signed = accesses().filter(access => access.verb === 'follow-up').at(-1);
    same([signed.subject, signed.role, signed.query.case], ['root', 'reviewer', 'KS 2026/300'], 'the entry of a signature');

    await asRole(page, 'approver');
    await go(page, '/decisions');
    await press(page, 'table.rows button[value=close]');
    await says(page, '.flash.done', /./, 'a closed decision');
    same(await page.locator('table.rows button[value=close]').count(), 0, 'what can be closed');

    await asRole(page, 'archivist');
    await go(page, '/retention');
    await says(page, 'main', /./);
    await asRole(page, 'insight');
    await go(page, '/readers');
    await press(page, 'button[value=list]');
    const rows = await page.locator('table.rows tbody tr').count();
    check(rows > 15, `every access: ${rows}`);
  },

  async 'an export is one file with its manifest and its proof'() {
    page = await open();
    await signIn(page, link('reviewer'));
    await go(page, '/search');
    await page.check('#f-basis-request');
    await page.fill('#f-request', 'Dnr 2026/99');
    await page.fill('#f-purpose', 'utlämnande av uppgifter');
    await page.selectOption('#f-format', 'csv');
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('button[value=export]')]);
    same(download.suggestedFilename(), 'postvakt-export.zip', 'the name of an export');
    const look = 'import json, sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; m = json.loads(z.read("export.csv.manifest.json")); print(json.dumps([z.namelist(), m["rows"], z.read("export.csv").count(b"\\r\\n")]))';
    const said = execFileSync('python3', ['-c', look, await download.path()], { encoding: 'utf8' });
    const [files, rows, lines] = JSON.parse(said);
    same(files.sort(), ['export.csv', 'export.csv.manifest.json', 'export.csv.proof.jsonl'], 'the files of an export');
    check(rows > 100 && lines >= rows + 1, `an export of ${rows} rows has ${lines} lines`);
    const entry = accesses().filter(access => access.verb === 'export').at(-1);
    same([entry.via, entry.role, entry.request, entry.rows], ['console', 'reviewer', 'Dnr 2026/99', rows], 'the entry of an export');

    await go(page, '/search');
    page.expected = [422];
    await page.click('button[value=export]');
    await says(page, '.flash.problem', /./);
    page.expected = [];
  },

  async 'a registrar looks after receipts, and goes'() {
    page = await open();
    await signIn(page, link('registrar'));
    await go(page, '/receipts');
    check(await page.locator('table.rows tbody tr').count() > 0, `the receipts: ${await text(page, 'main')}`);
    await page.click('table.rows tbody tr:first-child a.button, table.rows tbody tr:first-child a >> nth=0');
    await says(page, '.letter', /./);
    await press(page, 'button[value=retry]');
    await says(page, '.flash.done', /./, 'the next try');
    await press(page, 'button[value=cancel]');
    await says(page, '.flash.done', /./, 'the end of tries');
    await press(page, 'form[action="/language"] button');
    same(await page.getAttribute('html', 'lang'), 'en', 'the language');
    await go(page, '/');
    await says(page, 'h1', 'Overview');
    await press(page, 'form[action="/sign-out"] button');
    await says(page, 'h1', 'Sign in');
    await page.goto(given.origin + '/receipts');
    check(page.url().endsWith('/sign-in'), `after signing out: ${page.url()}`);
  },

  async 'by keyboard alone'() {
    page = await open({ scripts: true });
    await page.goto(link('reviewer'));
    await tabTo(page, 'main form button.main');
    await key(page, 'Enter');
    await says(page, 'h1', 'Översikt');
    // The first stop leads past the navigation.
    await tabTo(page, '.skip');
    await page.keyboard.press('Enter');
    same(await page.evaluate(() => document.activeElement.id), 'main', 'what the skip link leads to');
    await page.goto(given.origin + '/');
    await tabTo(page, 'nav.side a[href="/search"]');
    await key(page, 'Enter');
    await tabTo(page, '#f-purpose');
    await page.keyboard.type('felsökning av fördröjd post');
    // The kinds of reasons are one stop, with arrows inside.
    await tabTo(page, '#f-basis-operation');
    await page.keyboard.press('ArrowDown');
    same(await page.evaluate(() => document.activeElement.id), 'f-basis-decision', 'the arrow');
    await page.keyboard.press('ArrowUp');
    await tabTo(page, 'button[value=search]');
    await key(page, 'Enter');
    await wholeResult(page, 'a search by keyboard');
    await tabTo(page, 'td.open button');
    await key(page, 'Space');
    await says(page, '#timeline', 'Vad som hände');

    await tabTo(page, 'nav.side a[href="/decisions"]');
    await key(page, 'Enter');
    const fields = { reference: 'KS 2026/90', by: 'Kommunstyrelsen', date: DAY, valid_until: NEXT_YEAR, purpose: 'tillsyn' };
    for (const [name, value] of Object.entries(fields)) {
      await tabTo(page, `#f-${name}`);
      // A date is typed as the browser's language writes it: month, day, year.
      const typed = value.replace(/^(\d{4})-(\d\d)-(\d\d)$/, '$2$3$1');
      await page.keyboard.type(typed);
      if (await page.inputValue(`#f-${name}`) !== value) check(false, `${name}: ${await page.inputValue(`#f-${name}`)}`);
    }
    await tabTo(page, 'button[value=add]');
    await key(page, 'Enter');
    await says(page, 'table.rows', 'KS 2026/90');
  },

  async 'the access log has all of it'() {
    const all = accesses().filter(entry => entry.via === 'console');
    for (const verb of ['search', 'show', 'access', 'label', 'decision', 'close', 'hold', 'release', 'report', 'sample', 'receipts list', 'receipts show', 'receipts retry', 'receipts cancel']) {
      check(all.some(entry => entry.verb === verb), `no entry for ${verb}: ${[...new Set(all.map(entry => entry.verb))].join(', ')}`);
    }
    check(all.every(entry => entry.subject && entry.role), 'entries without a person or a role');
    const search = all.find(entry => entry.verb === 'search' && entry.decision === 'KS 2026/17');
    same(search?.role, 'reviewer', 'the role of a search');
    program('log', 'verify', '--config', given.config);
  },
});
