// Held mail by two people, decisions that a second person approves, and hostile mail on the pages.

import { accesses, check, go, given, key, picture, press, program, same, says, tabTo, text, walk } from './browser.mjs';
import { as, end } from './people.mjs';

async function held(page) {
  await go(page, '/held');
  if (await page.locator('#f-purpose').count()) {
    await page.fill('#f-purpose', 'morgonens genomgång');
    await press(page, 'button[value=list]');
  }
}

const row = (page, id) => page.locator(`table.rows tbody tr:has(#id-${id})`);

async function openHeld(page, id) {
  await held(page);
  await row(page, id).locator('a.button').click();
  await page.waitForURL('**/held/' + id);
}

async function actOn(page, id, act, fields = {}) {
  await openHeld(page, id);
  for (const [name, value] of Object.entries({ purpose: 'ett ärende', ...fields })) await page.fill(`#${act}-${name}`, value);
  await press(page, `.acts button[value=${act}]`);
}

/// Chooses several, and confirms on the next page.
async function batch(page, ids, act, fields = {}) {
  await held(page);
  for (const id of ids) await page.check(`#id-${id}`);
  await press(page, `.batch button[value=${act}]`);
  same(await page.locator('table.cards tbody tr').count(), ids.length, `what is confirmed: ${act}`);
  for (const [name, value] of Object.entries({ purpose: 'flera ärenden', ...fields })) await page.fill(`#f-${name}`, value);
  await press(page, `button.main[value=${act}]`);
}

const [first, second, third, fourth, fifth] = given.outside;

await walk({
  async 'a stranger has no role'() {
    const page = await as('stranger', { expected: [403] });
    await says(page, 'main', /roll/i);
    check(await page.locator('nav.side').count() === 0, 'pages for a stranger');
  },

  async 'a release is proposed, and a second person does it'() {
    const page = await as('registrar', { expected: [422] });
    await says(page, '.viewer', 'Registrator Ett');
    await actOn(page, first, 'release');
    await says(page, '.flash.done', /förslag/i, 'a proposal');
    await says(page, 'table.rows', 'Vänta');
    // The same person in another session is no second person.
    const again = await as('registrar', { expected: [422] });
    await actOn(again, first, 'release');
    await says(again, '.flash.problem', /./, 'the same person again');
    check(await again.locator('.flash.done').count() === 0, 'one person did it in two sessions');
    const other = await as('second');
    await actOn(other, first, 'release');
    await says(other, '.flash.done', /./, 'the second person');
    await held(other);
    same(await row(other, first).count(), 0, 'what was released');
  },

  async 'a batch'() {
    const page = await as('registrar', { expected: [422] });
    await batch(page, [second, third], 'release');
    await picture(page, 'held-batch-proposed');
    same(await row(page, second).count() + await row(page, third).count(), 2, 'a proposed batch waits');
    const other = await as('admin');
    await batch(other, [second, third], 'release');
    await held(other);
    same(await row(other, second).count() + await row(other, third).count(), 0, 'a batch that was released');
  },

  async 'hand-over and return'() {
    const page = await as('registrar', { expected: [422] });
    await actOn(page, fourth, 'hand-over', { to: 'info@exempelby.se' });
    await says(page, '.flash.done', /förslag/i, 'a proposed hand-over');
    const other = await as('admin', { expected: [422] });
    await actOn(other, fourth, 'hand-over', { to: 'info@exempelby.se' });
    await says(other, '.flash.done', /./, 'a hand-over');

    await actOn(other, fifth, 'return', { text: 'Fel adress.' });
    await says(other, '.flash.problem', 'the sender is outside', 'a return to a sender outside');
    await actOn(other, given.inside, 'return', { text: 'Skicka uppgifterna med säker e-post.' });
    const third = await as('second', { expected: [422] });
    await third.selectOption('#top-role', 'mail-admin');
    await press(third, 'form[action="/role"] button');
    await actOn(third, given.inside, 'return', { text: 'Skicka uppgifterna med säker e-post.' });
    await says(third, '.flash.done', /./, 'a return');
    await picture(third, 'held-light');
  },

  async 'by keyboard alone'() {
    const page = await as('admin', { scripts: true });
    await tabTo(page, 'nav.side a[href="/held"]');
    await key(page, 'Enter');
    await tabTo(page, '#f-purpose');
    await page.keyboard.type('morgonens genomgång');
    await tabTo(page, 'button[value=list]');
    await key(page, 'Enter');
    await tabTo(page, `#id-${fifth}`);
    await page.keyboard.press('Space');
    check(await page.isChecked(`#id-${fifth}`), 'a mail chosen by keyboard');
    await tabTo(page, '.batch button[value=release]');
    await key(page, 'Enter');
    await picture(page, 'held-confirm');
    await tabTo(page, '#f-purpose');
    await page.keyboard.type('ett ärende');
    await tabTo(page, 'button.main[value=release]');
    await key(page, 'Space');
    await says(page, '.flash', /./, 'a proposal by keyboard');
    same(await row(page, fifth).count(), 1, 'what was proposed');
  },

  async 'a decision waits for a second person'() {
    const page = await as('reviewer', { expected: [422] });
    await go(page, '/decisions');
    const day = new Date().toISOString().slice(0, 10);
    const fields = { reference: 'KS 2026/17', by: 'Kommunstyrelsen', date: day, valid_until: `${Number(day.slice(0, 4)) + 1}-12-31`, purpose: 'granskning' };
    for (const [name, value] of Object.entries(fields)) await page.fill(`#f-${name}`, value);
    await press(page, 'button[value=add]');
    await says(page, 'table.rows', 'KS 2026/17');
    // One person in two roles and two sessions.
    const again = await as('reviewer', { expected: [422] });
    await again.selectOption('#top-role', 'approver');
    await press(again, 'form[action="/role"] button');
    await go(again, '/decisions');
    await press(again, 'button[value=approve]');
    await says(again, '.flash.problem', /./, 'one person in two sessions');
    check(await again.locator('button[value=approve]').count() === 1, 'one person approved their own decision');
    const other = await as('approver');
    await go(other, '/decisions');
    await press(other, 'button[value=approve]');
    await says(other, '.flash.done', /./, 'an approval');
    same(await other.locator('button[value=approve]').count(), 0, 'what can be approved');
  },

  async 'hostile mail is text'() {
    const page = await as('reviewer', { scripts: true });
    await page.evaluate(() => { window.name = ''; });
    const fill = async more => {
      await go(page, '/search');
      await page.check('#f-basis-decision');
      await page.selectOption('#f-decision', 'KS 2026/17');
      await page.click('fieldset details:has(#f-columns-time) summary');
      for (const column of ['subject', 'sender', 'attachments', 'header_from', 'message_id', 'record']) await page.check(`#f-columns-${column}`);
      for (const [name, value] of Object.entries(more)) await page.fill(`#f-${name}`, value);
      await press(page, 'button[value=search]');
    };
    await fill({});
    const rows = await page.locator('table.rows tbody tr').count();
    check(rows >= given.strings.length, `hostile mail on one page: ${rows} of ${given.strings.length}: ${await text(page, '.end')}`);
    await harmless(page, 'the search');
    await picture(page, 'hostile-search');
    // Whatever can be seen of a string is there as it was written.
    const seen = await page.locator('td.subject').allInnerTexts();
    const plain = given.strings.filter(string => /^[!-~ ]{1,70}$/.test(string) && !/ {2}|^ | $/.test(string));
    const missing = plain.filter(string => !seen.some(cell => cell.trim() === string));
    check(plain.length > 150 && missing.length === 0, `${missing.length} of ${plain.length} subjects are not shown as they are: ${JSON.stringify(missing.slice(0, 5))}`);

    const ids = await page.locator('table.rows td.open button').evaluateAll(all => all.map(one => one.getAttribute('formaction')));
    const begun = Date.now();
    let shown = 0;
    for (const [number, path] of ids.entries()) {
      // A part of them, of each kind; all were on the page before.
      if (number % 8) continue;
      const answered = page.waitForNavigation({ waitUntil: 'domcontentloaded' });
      await page.evaluate(path => {
        const form = document.createElement('form');
        form.method = 'post';
        form.action = path;
        for (const [name, value] of [['basis', 'decision'], ['decision', 'KS 2026/17']]) {
          const field = document.createElement('input');
          [field.name, field.value] = [name, value];
          form.append(field);
        }
        document.body.append(form);
        form.submit();
      }, path);
      await answered;
      check(await page.locator('#timeline').count() === 1, `no mail at ${path}: ${await text(page, 'main')}`);
      await harmless(page, path);
      if (shown === 0) await picture(page, 'hostile-mail');
      shown += 1;
    }
    check(shown > 50, `mails shown: ${shown}`);
    console.log(`  ${shown} mails in ${Date.now() - begun} ms`);
  },

  async 'the access log has names and roles'() {
    const all = accesses().filter(entry => entry.via === 'console');
    for (const [subject, role, verb] of [['registrator-1', 'registrar', 'held release'], ['registrator-2', 'registrar', 'held release'], ['postadmin-1', 'mail-admin', 'held hand-over'], ['registrator-2', 'mail-admin', 'held return'], ['granskare-1', 'reviewer', 'search'], ['granskare-1', 'reviewer', 'show'], ['granskare-1', 'reviewer', 'decision'], ['beslut-1', 'approver', 'approve']]) {
      check(all.some(entry => entry.subject === subject && entry.role === role && entry.verb === verb), `no entry: ${verb} by ${subject} as ${role}`);
    }
    check(all.every(entry => entry.name && entry.subject && entry.role), `entries without a name: ${JSON.stringify(all.find(entry => !entry.name))}`);
    same(all.find(entry => entry.verb === 'search')?.name, 'Granskare Ett', 'the name of who searched');
    program('log', 'verify', '--config', given.config);
  },
});
end();

/// Nothing on the page but what the console's own templates write.
async function harmless(page, what) {
  const odd = await page.evaluate(() => {
    const known = 'html head meta title link body a header p svg path b span div form label select option button input nav ul li main h1 h2 h3 footer section table thead tbody tr th td bdi details summary wbr dl dt dd code fieldset legend datalist textarea ol aside i time'.split(' ');
    const odd = [];
    for (const one of document.querySelectorAll('*')) {
      if (!known.includes(one.localName)) odd.push(`<${one.localName}>`);
      for (const { name, value } of one.attributes) {
        if (/^on|^style$|^srcdoc$|^xlink|^background$/i.test(name)) odd.push(`${one.localName} ${name}=${value}`);
        if (['href', 'src', 'action', 'formaction'].includes(name) && !/^[/#]/.test(value)) odd.push(`${one.localName} ${name}=${value}`);
        if (['href', 'src', 'action', 'formaction'].includes(name) && value.startsWith('//')) odd.push(`${one.localName} ${name}=${value}`);
      }
    }
    if (window.hurt || document.title.includes('hurt')) odd.push('a script ran');
    // A character that cannot be seen, or that turns the text, is written out.
    const turned = document.body.innerText.match(/[\u0000-\u0008\u000e-\u001f\u007f\u0080-\u009f\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\u2028\u2029\ufeff]/);
    if (turned) odd.push(`the character ${turned[0].codePointAt(0).toString(16)} in ${JSON.stringify(document.body.innerText.slice(Math.max(0, turned.index - 20), turned.index + 20))}`);
    return odd;
  });
  check(odd.length === 0, `${what}: ${odd.slice(0, 5).join(' | ')}`);
}
