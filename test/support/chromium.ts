import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import type { Teardown } from './spawn.js';
import { tool } from './tools.js';

/** A page, and what went wrong in it. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors on the console or thrown, violations of the content security policy, requests to another host. */
  readonly faults: readonly string[];
}

/** What keeps Chromium to itself and to what it is asked for. */
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** How long a page may take for what it is waited for. */
const PATIENCE_MS = 15_000;

/** Starts Debian's Chromium. It ends with the test. */
export async function launchChromium(t: Teardown): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: tool('chromium'), args: ARGUMENTS });
  t.teardown(() => browser.close());
  return browser;
}

/** Opens the address in a browser profile of its own, which ends with the test. */
export async function openPage(
  t: Teardown,
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  t.teardown(() => context.close());
  context.setDefaultTimeout(PATIENCE_MS);
  // Runs in the page, before any script of its own: a violation becomes an error on the console.
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      console.error(`content security policy: ${violatedDirective} ${blockedURI}`);
    });
  });
  const page = await context.newPage();
  const faults = watch(page, new URL(url).host);
  await page.goto(url);
  return { page, faults };
}

function watch(page: Page, host: string): readonly string[] {
  const faults: string[] = [];
  const requested = (url: string) => {
    if (new URL(url).host !== host) faults.push(`request to ${url}`);
  };
  page.on('console', (line) => {
    if (['error', 'warning'].includes(line.type())) faults.push(`console: ${line.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`thrown: ${error.message}`));
  page.on('request', (request) => requested(request.url()));
  page.on('websocket', (socket) => requested(socket.url()));
  page.on('requestfailed', (request) => faults.push(`failed: ${request.url()}`));
  page.on('response', (response) => {
    if (response.status() >= 400) faults.push(`${response.status()}: ${response.url()}`);
  });
  return faults;
}
