// A request for public records: registered, reviewed mail by mail, approved by a second person, and given as files.

import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { accesses, accessible, check, fits, given, go, key, picture, press, program, same, says, tabTo, text, walk } from './browser.mjs';
import { as, end } from './people.mjs';

const DNR = 'KS 2026/410';
const DAY = new Date().toISOString().slice(0, 10);
const ONE = given.origin + '/disclosures/request?reference=' + encodeURIComponent(DNR);

/// Looks at a page in both themes, in a small window too.
async function looked(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await accessible(page, `${name}, ${colorScheme}`);
    await picture(page, `${name}-${colorScheme}`);
  }
  await page.setViewportSize({ width: 320, height: 800 });
  await fits(page, name);
  await page.setViewportSize({ width: 1280, height: 900 });
}

const row = (page, subject) => page.locator(`table.rows tbody tr:has-text("${subject}")`);

async function choose(page, subjects, choice, fields = {}) {
  for (const subject of subjects) await row(page, subject).locator('input[name=id]').check();
  await page.check(`#choice-${choice}`);
  for (const column of fields.columns ?? []) await page.check(`#mask-${column}`);
  if (fields.section) await page.fill('#f-section', fields.section);
  if (fields.why) await page.fill('#f-why', fields.why);
  await press(page, 'button[value=review]');
}

let files;

await walk({
  async 'a request is registered, and what it asks for is held'() {
    const page = await as('reviewer', { scripts: true });
    await go(page, '/disclosures');
    await looked(page, 'disclosures-none');
    await page.fill('#f-reference', DNR);
    await page.fill('#f-received', DAY);
    await page.fill('#f-recipient', 'info@exempelby.se');
    await press(page, 'button[value=open]');
    await says(page, 'h1', DNR);
    await says(page, '.flash.note', /skyndsamt/i);
    await says(page, 'main', 'skriftligt beslut');
    await says(page, 'main', 'överklagandehänvisning');
    same(await page.locator('table.rows tbody tr').count(), 3, 'the mails of the request');
    await looked(page, 'disclosure-review');
    await go(page, '/legal-holds');
    await says(page, 'table.rows', DNR);
    await go(page, '/');
    await says(page, '.alerts', 'En begäran om allmän handling väntar');
  },

  async 'each mail is kept, masked or left out'() {
    const page = await as('reviewer', { expected: [422] });
    await page.goto(ONE);
    await says(page, '#approve ~ p, main', 'inte bedömda');
    await choose(page, ['Orosanmälan'], 'mask', { columns: ['subject', 'sender'] });
    await says(page, '.flash.problem', 'Ange lagrum');
    check(await page.isChecked('#choice-mask'), 'what was entered is kept');
    await choose(page, ['Orosanmälan'], 'mask', { columns: ['subject', 'sender'], section: 'OSL 26 kap. 1 §', why: 'ett ärende hos socialtjänsten' });
    await says(page, '.flash.done', /./);
    await choose(page, ['Skyddad'], 'leave-out', { section: 'OSL 21 kap. 3 §' });
    await page.check('#f-rest');
    await page.check('#choice-keep');
    await press(page, 'button[value=review]');
    await says(page, '.flash.done', /./, 'the rest');
    await says(page, 'table.rows', '[maskerat]');
    same(await page.locator('#approve').count(), 1, 'it waits for an approval');
    check(await page.locator('button[value=approve]').count() === 0, 'who reviewed has a button to approve');
    // Nor by the form of somebody else, in the other role.
    await page.selectOption('#top-role', 'approver');
    await press(page, 'form[action="/role"] button');
    await page.goto(ONE);
    same(await page.locator('button[value=approve]').count(), 0, 'a button for who reviewed');
    const entry = accesses().filter(one => one.verb === 'disclosure').at(-1).id;
    const answer = await page.request.post(given.origin + '/disclosures/request', {
      headers: { origin: given.origin, 'x-person': 'reviewer' }, form: { reference: DNR, entry: String(entry), do: 'approve' },
    });
    const said = await answer.text();
    check(answer.status() === 422 && said.includes('har själv registrerat eller bedömt'), `own approval: ${answer.status()}`);
    check(accesses().some(one => one.verb === 'disclosure approve' && /another person/.test(one.refused)), 'the refusal is in the access log');
  },

  async 'a second person approves, by keyboard'() {
    const page = await as('approver', { scripts: true, expected: [422] });
    await tabTo(page, 'nav.side a[href="/disclosures"]');
    await key(page, 'Enter');
    await tabTo(page, 'table.rows a');
    await key(page, 'Enter');
    await says(page, 'h1', DNR);
    check(await page.locator('button[value=review]').count() === 0, 'an approver reviews');
    // Meanwhile a choice changes: what was seen is not what would be approved.
    const other = await as('reviewer', { expected: [422] });
    await other.goto(ONE);
    await choose(other, ['Bygglov'], 'keep', { why: 'offentlig' });
    await tabTo(page, 'button[value=approve]');
    await key(page, 'Enter');
    await says(page, '.flash.problem', 'har ändrats');
    await looked(page, 'disclosure-approve');
    await tabTo(page, 'button[value=approve]');
    await key(page, 'Enter');
    await says(page, '.flash.done', /./, 'the approval');
    await says(page, '.badges', 'Godkänd');
  },

  async 'the files are one, masked and proved'() {
    const page = await as('reviewer', { expected: [422] });
    await page.goto(ONE);
    await page.selectOption('#f-format', 'csv');
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('button[value=files]')]);
    same(download.suggestedFilename(), 'utlamnande.zip', 'the name of the file');
    files = fs.mkdtempSync(path.join(given.pictures, 'files-'));
    execFileSync('python3', ['-m', 'zipfile', '-e', await download.path(), files]);
    const names = fs.readdirSync(files, { recursive: true }).filter(name => name.includes('/')).sort();
    same(names, ['lamnas-ut/export.csv', 'lamnas-ut/export.csv.manifest.json', 'lamnas-ut/export.csv.proof.jsonl', 'till-akten/export.csv.review.csv'], 'the files');
    const csv = fs.readFileSync(path.join(files, 'lamnas-ut/export.csv'), 'utf8');
    check(csv.includes('Bygglov') && csv.includes('[maskerat]'), `what is disclosed: ${csv}`);
    for (const secret of ['Orosanmälan', 'Skyddad', 'granne@example.org']) check(!csv.includes(secret), `disclosed: ${secret}`);
    check(!fs.readFileSync(path.join(files, 'lamnas-ut/export.csv.proof.jsonl'), 'utf8').includes('Orosanmälan'), 'a masked value is in the proof');
    // What came since the newest tree head is not proved yet, which is no fault.
    const verify = spawnSync(given.program, ['log', 'verify-export', '--json', '--store', given.store, path.join(files, 'lamnas-ut/export.csv')], { encoding: 'utf8' });
    check([0, 2].includes(verify.status), `verify-export: ${verify.status} ${verify.stderr}`);
    const { checked } = JSON.parse(verify.stdout);
    same([checked.faults, checked.proved + checked.unproved], [[], 2], 'what is checked');
  },

  async 'it is answered'() {
    const page = await as('reviewer', { scripts: true });
    await page.goto(ONE);
    await page.selectOption('#f-answer', 'part');
    await page.fill('#f-decision', 'KS 2026/411');
    await press(page, 'button[value=close]');
    await says(page, '.flash.done', /./);
    await says(page, 'main', 'Häv bevarandet');
    same(await page.locator('button[value=review], button[value=close], button[value=files]').count(), 0, 'what can be done yet');
    await looked(page, 'disclosure-closed');
    await go(page, '/');
    check(!(await text(page, 'main')).includes('begäran om allmän handling väntar'), 'what was answered waits');
    await go(page, '/disclosures');
    await says(page, 'table.rows', 'Delvis utlämnad');
    await looked(page, 'disclosures');
    check(await text(page, '#rows') !== '', 'the list');
    for (const [verb, subject] of [['disclosure open', 'granskare-1'], ['disclosure review', 'granskare-1'], ['disclosure approve', 'beslut-1'], ['export', 'granskare-1']]) {
      check(accesses().some(one => one.verb === verb && one.subject === subject && one.request === DNR && !one.refused), `no entry: ${verb} by ${subject}`);
    }
    program('log', 'verify', '--config', given.config);
  },
});
end();
