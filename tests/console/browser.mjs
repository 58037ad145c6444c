// A browser that is watched: what a page does beyond showing itself is a fault, and so is an answer without the policy.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What the test said: addresses, folders, the program.
export const given = JSON.parse(fs.readFileSync(0, 'utf8'));

/// What is wrong. A walk goes on, so that one run tells all of it.
export const faults = [];

export function check(holds, what) {
  if (!holds) {
    faults.push(what);
    console.error('wrong: ' + what);
  }
}

export function same(found, wanted, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  check(a === b, `${what}: ${a}, not ${b}`);
}

/// The program, with these arguments; its output.
export function program(...args) {
  return execFileSync(given.program, args, { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });
}

/// A link that signs in once, with these roles.
export function link(...roles) {
  const args = roles.flatMap(role => ['--role', role]);
  const mailboxes = roles.includes('registrar') ? ['--mailbox', 'registrator@exempelby.se'] : [];
  return program('console', '--links', given.links, 'link', ...args, ...mailboxes).trim();
}

/// The access log, one object for each entry.
export function accesses() {
  return program('log', 'access', '--json', '--config', given.config).trim().split('\n').map(line => JSON.parse(line));
}

let browser;

/// Runs a walk, and ends with what it found.
export async function walk(steps) {
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    // Nothing but this host is found.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--lang=en-US', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost'],
  });
  try {
    for (const [name, step] of Object.entries(steps)) {
      // Those alone that somebody works at.
      if (process.env.ONLY && !new RegExp(process.env.ONLY).test(name)) continue;
      const begun = Date.now();
      try {
        await step();
      } catch (error) {
        check(false, `${name}: ${error.stack}`);
        const open = browser.contexts().flatMap(context => context.pages()).at(-1);
        if (open) await picture(open, `wrong-${name}`).catch(() => {});
      }
      for (const context of browser.contexts()) await context.close();
      console.log(`${name}: ${((Date.now() - begun) / 1000).toFixed(1)} s`);
    }
  } finally {
    await browser.close();
  }
  if (faults.length) {
    console.error(`\n${faults.length} wrong`);
    process.exit(1);
  }
}

/// A page of its own session, watched. Statuses of `expected` are not faults.
export async function open({ scripts = false, width = 1280, height = 900, zoom = 1, headers, expected = [] } = {}) {
  const context = await browser.newContext({
    javaScriptEnabled: scripts,
    viewport: { width, height },
    deviceScaleFactor: zoom,
    locale: 'sv-SE',
    extraHTTPHeaders: headers,
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  watch(page, expected);
  return page;
}

function watch(page, expected) {
  const where = () => new URL(page.url()).pathname;
  page.on('console', message => {
    // The browser itself tells of statuses, which are checked below.
    if (!message.text().startsWith('Failed to load resource')) check(false, `${where()}: the console says ${message.text()}`);
  });
  page.on('pageerror', error => check(false, `${where()}: ${error}`));
  page.on('dialog', dialog => {
    check(false, `${where()}: a dialog says ${dialog.message()}`);
    dialog.dismiss();
  });
  page.context().on('page', other => check(other === page || page.others, `${where()}: another window opened`));
  page.on('request', request => {
    check(request.url().startsWith(given.origin + '/'), `${where()}: asked for ${request.url()}`);
  });
  page.on('response', response => {
    const { headers, status, url } = { headers: response.headers(), status: response.status(), url: response.url() };
    if (!url.startsWith(given.origin)) return;
    same(headers['content-security-policy'], POLICY, `policy of ${url}`);
    same(headers['cache-control'], 'no-store', `cache-control of ${url}`);
    const wanted = [...expected, ...(page.expected ?? [])];
    check(status < 400 || wanted.includes(status), `${response.request().method()} ${url}: ${status}`);
  });
}

/// Signs in with a link.
export async function signIn(page, address) {
  await page.goto(address);
  await page.click('main form button.main');
  await page.waitForURL(given.origin + '/');
}

export async function asRole(page, role) {
  await page.selectOption('#top-role', role);
  await page.click('form[action="/role"] button');
  await page.waitForURL(given.origin + '/');
  same(await page.inputValue('#top-role'), role, 'the role');
}

/// Opens a page by its place in the navigation.
export async function go(page, href) {
  await page.click(`nav.side a[href="${href}"]`);
  await page.waitForURL(given.origin + href);
}

/// Clicks a button of a form and waits for the answer.
export async function press(page, selector) {
  const answered = page.waitForNavigation();
  await page.click(selector);
  await answered;
}

export const text = (page, selector) => page.locator(selector).first().innerText();

export async function says(page, selector, wanted, what = selector) {
  const all = await page.locator(selector).allInnerTexts();
  const found = all.join('\n');
  check(wanted instanceof RegExp ? wanted.test(found) : found.includes(wanted), `${what}: ${wanted} is not in: ${found || await text(page, 'main')}`);
}

/// A picture of the whole page in the output folder.
export async function picture(page, name) {
  fs.mkdirSync(given.pictures, { recursive: true });
  const { width, height } = page.viewportSize();
  const whole = await page.evaluate(() => document.documentElement.scrollHeight);
  const clip = { x: 0, y: 0, width, height: Math.min(Math.max(whole, height), 3_000) };
  await page.screenshot({ path: path.join(given.pictures, `${name}.png`), fullPage: true, clip });
}

/// What an accessibility checker objects to.
export async function accessible(page, name, only) {
  if (!await page.evaluate(() => typeof window.axe === 'object')) await page.evaluate(AXE);
  const how = only ? { runOnly: only } : {};
  const found = await page.evaluate(how => window.axe.run(document, { resultTypes: ['violations'], ...how }), how);
  for (const one of found.violations) {
    const nodes = one.nodes.slice(0, 3).map(node => `${node.html.slice(0, 160)} (${node.failureSummary.split('\n')[1]?.trim()})`);
    check(false, `${name}: axe ${one.id}: ${nodes.join(' | ')}`);
  }
}

/// Whether nothing but what scrolls by itself is wider than the window.
export async function fits(page, name) {
  const wide = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const all = [...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > width + 0.5);
    return [`${document.documentElement.scrollWidth} px`, ...all.slice(0, 4).map(one => one.outerHTML.slice(0, 120))];
  });
  check(wide.length === 0, `${name}: wider than the window: ${wide.join(' | ')}`);
}

/// Goes with the Tab key to what fits the selector; the focus can be seen on the whole way.
export async function tabTo(page, selector) {
  for (let steps = 0; steps < 250; steps++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(selector => {
      const one = document.activeElement;
      const style = getComputedStyle(one);
      // The parts of a date are the browser's own, and it shows where one is.
      const seen = one.type === 'date' || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2);
      const box = one.getBoundingClientRect();
      return { there: one.matches(selector), seen: one === document.body || seen, inside: box.width > 0 && box.bottom > 0 && box.top < innerHeight, html: one.outerHTML.slice(0, 120) };
    }, selector);
    check(at.seen, `the focus cannot be seen on ${at.html}`);
    check(at.inside || at.html.startsWith('<body'), `the focus is out of sight on ${at.html}`);
    if (at.there) return;
  }
  throw new Error(`no Tab leads to ${selector}`);
}

/// Presses a key that leads to another page.
export async function key(page, name) {
  const answered = page.waitForNavigation();
  await page.keyboard.press(name);
  await answered;
}
