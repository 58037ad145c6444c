// Every page as people meet it: with a screen reader (axe), in both languages and themes, in a window of 320 px and at 400 %.
// A picture of each lies in the output folder.

import { accessible, asRole, check, fits, given, go, link, open, picture, press, signIn, text, walk } from './browser.mjs';

const DAY = new Date().toISOString().slice(0, 10);

const QUARTER = `${DAY.slice(0, 4)}-Q${Math.ceil(Number(DAY.slice(5, 7)) / 3)}`;

const reason = page => page.fill('#f-purpose', 'uppföljning av reglerna');

async function found(page, rule) {
  await go(page, '/search');
  await reason(page);
  if (rule) await page.selectOption('#f-rule', rule);
  await press(page, 'button[value=search]');
}

async function report(page, kind) {
  await page.goto(`${given.origin}/reports/${kind}`);
  await reason(page);
  if (kind === 'sample') await page.fill('#f-seed', '1 2 3');
  await page.fill(kind === 'sample' ? '#f-quarter' : '#f-period', kind === 'month' ? DAY.slice(0, 7) : QUARTER);
  await press(page, 'main form button.main');
}

/// The pages by name: the role that opens it, and the way there.
const PAGES = {
  overview: ['reviewer', page => go(page, '/')],
  search: ['reviewer', page => go(page, '/search')],
  'search-result': ['reviewer', page => found(page, 'auto-forward')],
  'search-refused': ['reviewer', async page => {
    await go(page, '/search');
    await page.fill('#f-person', 'anna@exempelby.se');
    await reason(page);
    await press(page, 'button[value=search]');
  }],
  'mail-reason': ['reviewer', page => page.goto(given.origin + '/mail/demo-1-000000000001')],
  mail: ['reviewer', async page => {
    await found(page, 'auto-forward');
    await press(page, 'table.rows tbody tr:first-child td.open button');
  }],
  'mail-judge': ['mail-admin', async page => {
    await found(page, 'auto-forward');
    await press(page, 'table.rows tbody tr:first-child td.open button');
    await page.click('.judge summary');
  }],
  held: ['mail-admin', page => go(page, '/held')],
  receipts: ['mail-admin', page => go(page, '/receipts')],
  receipt: ['mail-admin', async page => {
    await go(page, '/receipts');
    await page.locator('table.rows tbody tr').first().locator('a').first().click();
    await page.waitForURL('**/receipts/*');
  }],
  rules: ['mail-admin', page => go(page, '/rules')],
  'rules-report': ['mail-admin', async page => {
    await go(page, '/rules');
    await reason(page);
    await press(page, 'button[value=report]');
  }],
  forwarders: ['mail-admin', async page => {
    await go(page, '/forwarders');
    await reason(page);
    await press(page, 'button[value=list]');
  }],
  disclosures: ['reviewer', page => go(page, '/disclosures')],
  'follow-up': ['reviewer', page => go(page, '/follow-up')],
  'follow-up-parts': ['insight', async page => {
    await go(page, '/follow-up');
    await page.fill('#f-seed', '7 13 21');
    await reason(page);
    await press(page, 'button[value=show]');
  }],
  'search-newest': ['reviewer', async page => {
    await go(page, '/search');
    await reason(page);
    await page.selectOption('#f-order', 'newest');
    await press(page, 'button[value=search]');
  }],
  decisions: ['reviewer', page => go(page, '/decisions')],
  'legal-holds': ['reviewer', page => go(page, '/legal-holds')],
  retention: ['archivist', page => go(page, '/retention')],
  readers: ['insight', async page => {
    await go(page, '/readers');
    await press(page, 'button[value=list]');
  }],
  'readers-own': ['reader', page => go(page, '/readers')],
  reports: ['reviewer', page => go(page, '/reports')],
  month: ['reviewer', page => report(page, 'month')],
  quarter: ['reviewer', page => report(page, 'quarter')],
  sample: ['reviewer', page => report(page, 'sample')],
  'not-found': ['reviewer', page => page.goto(given.origin + '/finns-inte')],
  refused: ['insight', page => page.goto(given.origin + '/search')],
};

async function looked(page, name, lang) {
  const themes = lang === 'sv' ? ['light', 'dark'] : ['dark', 'light'];
  await page.emulateMedia({ colorScheme: themes[0] });
  await accessible(page, `${name}, ${lang}, ${themes[0]}`);
  if (lang === 'sv') await picture(page, `${name}-${themes[0]}`);
  if (lang === 'sv') {
    // The theme changes colours alone, and the language no colour.
    await page.emulateMedia({ colorScheme: themes[1] });
    await accessible(page, `${name}, ${lang}, ${themes[1]}`, ['color-contrast']);
    await picture(page, `${name}-${themes[1]}`);
  }
  await fits(page, `${name}, ${lang}, 1280 px`);
  await page.setViewportSize({ width: 320, height: 640 });
  await page.emulateMedia({ colorScheme: 'light' });
  await fits(page, `${name}, ${lang}, 320 px`);
  if (lang === 'sv') await picture(page, `${name}-320`);
  await page.setViewportSize({ width: 1280, height: 900 });
}

async function everyPage(lang) {
  const page = await open({ scripts: true, expected: [403, 404, 422] });
  await page.goto(given.origin + '/sign-in');
  if (lang === 'en') await press(page, 'form[action="/language"] button');
  await looked(page, 'sign-in', lang);
  const address = link('reader', 'reviewer', 'registrar', 'mail-admin', 'approver', 'archivist', 'insight');
  await page.goto(address);
  await looked(page, 'sign-in-link', lang);
  await signIn(page, address);
  let now = 'reader';
  if (lang === 'sv') {
    await asRole(page, 'reviewer');
    now = 'reviewer';
    await go(page, '/decisions');
    for (const [id, value] of Object.entries({ reference: 'KS 2026/17', by: 'Kommunstyrelsen', date: DAY, valid_until: `${Number(DAY.slice(0, 4)) + 1}-12-31`, purpose: 'tillsyn av vidarebefordran', person: 'anna@exempelby.se' })) {
      await page.fill(`#f-${id}`, value);
    }
    await press(page, 'button[value=add]');
    await go(page, '/legal-holds');
    await page.fill('#f-reference', 'Dnr 2026/44');
    await page.fill('#f-party', 'anna@exempelby.se');
    await press(page, 'button[value=add]');
  }
  for (const [name, [role, way]] of Object.entries(PAGES)) {
    if (role !== now) await asRole(page, role);
    now = role;
    await way(page);
    const title = await page.title();
    check(title.endsWith('– Postvakt') && (await text(page, 'h1')).length > 0, `${name}: no title or heading`);
    check(await page.getAttribute('html', 'lang') === lang, `${name}: not in ${lang}`);
    await looked(page, name, lang);
  }
}

await walk({
  'in Swedish': () => everyPage('sv'),
  'in English': () => everyPage('en'),
  // A window of 1280 × 1024 px, four times as large.
  async 'at 400 %'() {
    const page = await open({ width: 320, height: 256, zoom: 4 });
    await signIn(page, link('reviewer'));
    await go(page, '/search');
    await reason(page);
    await press(page, 'button[value=search]');
    await press(page, 'table.rows tbody tr:first-child td.open button');
    await page.locator('#timeline').scrollIntoViewIfNeeded();
    check(await page.locator('#timeline').isVisible(), 'the timeline at 400 %');
    await go(page, '/decisions');
    await page.locator('button[value=add]').scrollIntoViewIfNeeded();
    check(await page.locator('button[value=add]').isVisible(), 'the button at 400 %');
  },
});
