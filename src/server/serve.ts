import { replaceCertificate } from './app.js';
import { readCertificate, replaceOnHangup } from './process/certificate.js';
import { announce, run } from './process/run.js';
import { SERVE_DEFAULTS } from './settings/schema.js';
import type { Settings } from './settings/settings.js';
import { isWorker } from './workers/mark.js';
import { servePrimary } from './workers/primary.js';
import { serveAsWorker } from './workers/worker.js';

/** Runs the server until a signal ends it. Rejects with an OptionsError for what can't be started. */
export async function serve(settings: Settings, write: (text: string) => void): Promise<void> {
  if (isWorker()) await serveAsWorker(settings);
  else if (settings.workers > 1) await servePrimary(settings, write);
  else await serveAlone(settings, write);
}

async function serveAlone(settings: Settings, write: (text: string) => void): Promise<void> {
  const { tls, unusedData } = settings;
  const { app, url } = await run({
    ...settings,
    options: { ...SERVE_DEFAULTS, ...settings.options },
    tls: tls && readCertificate(tls),
    skip: tls ? ['SIGHUP'] : [],
    makesLobby: true,
    prepare: (app) => tls && replaceOnHangup(tls, app.log, (files) => replaceCertificate(app, files)),
  });
  announce(app.earshot.options, { url, unusedData, write, warn: (text) => app.log.warn(text) });
}
