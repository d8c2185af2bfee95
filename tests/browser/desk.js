// Runs all cells of notebooks in JupyterLab as a person would, saves twice, and reports what was on the screen, as JSON.
const { chromium } = require('playwright-core');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const LONGEST = 240000;
// Pseudonyms of records, people and families, tokens, whole postcodes, NHS numbers.
const SHAPES = /\b(?:rk1|sid1|fid1|tk1|pp1)_[a-z2-7]{6,}|\b(?:SW|SE)\d{1,2} ?\d[A-Z]{2}\b|\b\d{3} \d{3} \d{4}\b/;
const told = () => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cells = [...panel.content.model.cells].filter((c) => c.type === 'code').map((c) => c.toJSON());
  const outputs = cells.flatMap((c) => c.outputs);
  return {
    ready: panel.sessionContext.session?.kernel?.status === 'idle' && cells.every((c) => c.execution_count || !c.source.length),
    started: cells.some((c) => c.execution_count),
    cells: cells.length,
    outputs: outputs.length,
    errors: outputs.filter((o) => o.output_type === 'error').map((o) => o.ename),
    stderr: outputs.filter((o) => o.name === 'stderr').length,
    dirty: panel.context.model.dirty,
    text: JSON.stringify(outputs),
  };
};
async function run(browser, base, token, notebook, picture) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  let outside = 0;
  page.on('request', (r) => { if (!/^(data|blob):/.test(r.url()) && !r.url().startsWith(base)) outside += 1; });
  const began = Date.now();
  await page.goto(`${base}/lab/tree/${notebook}?reset&token=${token}`);
  await page.waitForFunction(() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle', null, { timeout: 60000 });
  const opened = Date.now();
  await page.click('.lm-MenuBar-item:has-text("Run")');
  await page.click('li.lm-Menu-item[data-command="runmenu:run-all"]');
  await page.waitForFunction(`(${told})().ready || (${told})().errors.length`, null, { timeout: LONGEST, polling: 250 });
  const done = Date.now();
  const { ready, started, text, ...rest } = await page.evaluate(told);
  const screen = await page.evaluate(() => document.body.innerText);
  for (let times = 0; times < 2; times += 1) {
    await page.evaluate(() => window.jupyterapp.shell.currentWidget.context.model.sharedModel.cells[0].setSource(window.jupyterapp.shell.currentWidget.context.model.sharedModel.cells[0].getSource()));
    await page.keyboard.press('Control+s');
    await page.waitForFunction(`!(${told})().dirty`, null, { timeout: 20000 });
    await page.waitForTimeout(300);
  }
  const boxes = await page.locator('.jp-Dialog').count();
  const shown = await page.locator('.jp-OutputArea-output').count();
  if (picture) await page.screenshot({ path: picture });
  await page.evaluate(() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown());
  await context.close();
  return { notebook, ...rest, shown, rows: SHAPES.test(text) || SHAPES.test(screen), boxes, outside, open: opened - began, run: done - opened };
}
async function start(browser, base, token, place) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(`${base}/lab/tree/${place}?reset&token=${token}`);
  await page.waitForSelector('.jp-RenderedMarkdown h1', { timeout: 60000 });
  const title = await page.textContent('.jp-RenderedMarkdown h1');
  await page.waitForTimeout(1000); // the links are resolved after the text
  await page.click('.jp-RenderedMarkdown table a >> nth=0');
  await page.waitForFunction(() => window.jupyterapp.shell.currentWidget?.context?.path?.endsWith('.ipynb'), null, { timeout: 30000 });
  const opened = await page.evaluate(() => window.jupyterapp.shell.currentWidget.context.path);
  await page.waitForFunction(() => window.jupyterapp.shell.currentWidget.sessionContext?.session?.kernel, null, { timeout: 30000 });
  await page.evaluate(() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown());
  await page.close();
  return { place, title, opened };
}
(async () => {
  const [base, token, folder, ...notebooks] = process.argv.slice(2);
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS });
  const look = (one) => (one.endsWith('.md') ? start(browser, base, token, one) : run(browser, base, token, one, folder === '-' ? '' : `${folder}/${one.split('/').pop()}.png`));
  const waiting = [...notebooks];
  const evaluator = async () => { while (waiting.length) console.log(JSON.stringify(await look(waiting.shift()))); };
  await Promise.all([evaluator(), evaluator()]); // two at the desk: each waits for kernels most of the time
  await browser.close();
})();
