import t from 'tap';
import { appOn } from '../support/app.js';
import { makeCertificate } from '../support/certificates.js';
import { launchChromium, openPage } from '../support/chromium.js';

// A browser takes what it takes where many tests share a few cores; each wait in it has its own bound.
t.setTimeout(300_000);

t.test('lobby / over TLS in Chromium → the page by HTTP/2, the WebSocket on the same port', async (t) => {
  const { cert, key } = makeCertificate(t);
  const on = await appOn(t, { pages: true }, { tls: { cert, key } });
  const browser = await launchChromium(t);
  const url = `${on.url}/`;
  const { page, faults } = await openPage(t, browser, url, { ignoreHTTPSErrors: true });
  await page.locator('#scroller[aria-busy=false]').waitFor();
  await page.getByLabel('Message', { exact: true }).fill('over TLS');
  await page.keyboard.press('Enter');
  await page.locator('#messages .text').getByText('over TLS', { exact: true }).waitFor();
  t.match((await on.app.earshot.history('lobby')).messages, [{ data: 'over TLS' }]);
  t.equal(on.app.earshot.sessions.count, 1);
  const protocols = await page.evaluate(() =>
    performance
      .getEntries()
      .flatMap((entry) => ('nextHopProtocol' in entry ? [String(entry.nextHopProtocol)] : [])),
  );
  t.ok(protocols.length > 1, 'the page and what it loads');
  t.strictSame([...new Set(protocols)], ['h2']);
  t.strictSame(faults, [], 'no error, no violation, no other host');
});
