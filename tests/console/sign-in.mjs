// A real browser signs in by the provider. Takes the origin of the console; prints what it has seen, as JSON.
import { chromium } from 'playwright-core';

const origin = process.argv[2];
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  const said = [];
  page.on('console', (message) => said.push(message.text()));
  await page.goto(`${origin}/`);
  await page.click('form[action="/sign-in/openid"] button');
  await page.waitForURL(`${origin}/`, { timeout: 60_000 });
  const name = await page.textContent('.viewer .name');
  const cookies = (await context.cookies(origin)).map(({ name, sameSite, secure, httpOnly }) => ({ name, sameSite, secure, httpOnly }));
  console.log(JSON.stringify({ url: page.url(), name, cookies, said }));
} finally {
  await browser.close();
}
