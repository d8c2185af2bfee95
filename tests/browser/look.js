// Opens one page in a real browser in one mode and reports what it asked for, kept and got wrong, as JSON.
const { chromium } = require('playwright-core');
const axe = require('fs').readFileSync(require.resolve('axe-core'), 'utf8');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const MODES = {
  light: {}, dark: { colorScheme: 'dark' }, narrow: { viewport: { width: 320, height: 700 } },
  forced: { forcedColors: 'active' }, phone: { viewport: { width: 390, height: 844 } },
  'phone-dark': { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
};
async function look(browser, address, mode, picture) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...MODES[mode] });
  const page = await context.newPage();
  const told = { mode, requests: 0, console: 0 };
  page.on('request', (r) => { if (r.url() !== address && !r.url().startsWith('data:')) told.requests += 1; });
  page.on('console', () => { told.console += 1; });
  await page.goto(address);
  told.cookies = (await context.cookies()).length;
  told.overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  told.storage = (await context.storageState()).origins.length;
  if (picture) await page.screenshot({ path: picture, fullPage: true });
  await context.close();
  // axe must be injected past the page's own policy, hence a second context that counts nothing.
  const open = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...MODES[mode], bypassCSP: true });
  const other = await open.newPage();
  await other.goto(address);
  await other.addScriptTag({ content: axe });
  const found = await other.evaluate(() => axe.run());
  told.violations = found.violations.map((v) => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 160)]);
  told.incomplete = found.incomplete.map((v) => [v.id, v.nodes.length]);
  await open.close();
  return told;
}
(async () => {
  const [address, folder, ...modes] = process.argv.slice(2);
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS });
  for (const mode of modes) console.log(JSON.stringify(await look(browser, address, mode, folder === '-' ? '' : `${folder}/${mode}.png`)));
  await browser.close();
})();
