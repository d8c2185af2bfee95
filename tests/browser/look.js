// Opens one page in a real browser, mode by mode, and reports as JSON what it asked for, kept and got wrong.
const { chromium } = require('playwright-core');
const axe = require('fs').readFileSync(require.resolve('axe-core'), 'utf8');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const MODES = {
  light: {}, dark: { colorScheme: 'dark' }, narrow: { viewport: { width: 320, height: 700 } }, forced: { forcedColors: 'active' },
  print: {}, phone: { viewport: { width: 390, height: 844 } }, 'phone-dark': { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
};
const RULES = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] };

async function opened(browser, address, mode, more) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true, ...MODES[mode], ...more });
  const page = await context.newPage();
  if (mode === 'print') await page.emulateMedia({ media: 'print' });
  const told = { requests: 0, console: 0 };
  page.on('request', (r) => { if (r.url() !== address && !r.url().startsWith('data:')) told.requests += 1; });
  page.on('console', () => { told.console += 1; });
  page.on('pageerror', () => { told.console += 1; });
  await page.goto(address);
  return { context, page, told };
}

// Words that leave their drawing, or lie over other words.
const drawn = () => {
  let clipped = 0; let overlaps = 0;
  for (const svg of document.querySelectorAll('svg')) {
    const frame = svg.getBoundingClientRect();
    const boxes = [...svg.querySelectorAll('text')].map((t) => t.getBoundingClientRect()).filter((b) => b.width);
    clipped += boxes.filter((b) => b.left < frame.left - 1 || b.right > frame.right + 1 || b.bottom > frame.bottom + 1).length;
    boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const tall = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 2 && tall > 0.4 * Math.min(a.height, b.height)) overlaps += 1;
    }));
  }
  return { clipped, overlaps };
};

// Every link, summary and wide table is reached by Tab, in the order in which it stands.
async function tabbed(page) {
  const places = () => [...document.querySelectorAll('a, summary, [tabindex="0"]')].filter((e) => e.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true }));
  const wanted = await page.evaluate(`(${places})().length`);
  const order = [];
  for (let i = 0; i < wanted; i += 1) {
    await page.keyboard.press('Tab');
    order.push(await page.evaluate(`(${places})().indexOf(document.activeElement)`));
  }
  return order.filter((place, i) => place !== i).length;
}

async function saved(page) {
  let wrong = 0;
  for (const link of await page.$$('a[download]')) {
    await page.waitForTimeout(150); // Chromium drops what is more than ten files a second
    const [file] = await Promise.all([page.waitForEvent('download', { timeout: 120000 }), link.click()]);
    const bytes = require('fs').readFileSync(await file.path()).toString('base64');
    const href = await link.getAttribute('href');
    if (href.split('base64,')[1] !== bytes || file.suggestedFilename() !== await link.getAttribute('download')) wrong += 1;
  }
  return wrong;
}

async function look(browser, address, mode, picture) {
  const first = await opened(browser, address, mode);
  const told = { mode, ...first.told };
  told.overflow = Math.max(0, await first.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth));
  told.cookies = (await first.context.cookies()).length;
  told.storage = (await first.context.storageState({ indexedDB: true })).origins.length;
  told.scripts = await first.page.evaluate(() => document.scripts.length).catch(() => -1);
  Object.assign(told, await first.page.evaluate(drawn));
  if (picture) await first.page.screenshot({ path: picture, fullPage: true });
  if (mode === 'light') { told.tab_misses = await tabbed(first.page); told.saved_wrong = await saved(first.page); }
  told.requests = first.told.requests; told.console = first.told.console;
  await first.context.close();
  // axe must be injected past the page's own policy, hence a second context that counts nothing.
  const second = await opened(browser, address, mode, { bypassCSP: true });
  await second.page.evaluate(() => document.querySelectorAll('details').forEach((d) => { d.open = true; }));
  await second.page.addScriptTag({ content: axe });
  const found = await second.page.evaluate((rules) => axe.run(rules), RULES);
  told.violations = found.violations.map((v) => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 160)]);
  told.incomplete = found.incomplete.map((v) => [v.id, v.nodes.length, v.nodes.filter((n) => !n.html.startsWith('<text')).length]);
  await second.context.close();
  return told;
}

(async () => {
  const [address, folder, ...modes] = process.argv.slice(2);
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS });
  const waiting = [...modes];
  const reader = async () => { for (let mode = waiting.shift(); mode; mode = waiting.shift()) console.log(JSON.stringify(await look(browser, address, mode, folder === '-' ? '' : `${folder}/${mode}.png`))); };
  await Promise.all([reader(), reader()]); // each has a context of its own
  await browser.close();
})();
