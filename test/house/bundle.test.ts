import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import t from 'tap';

/** Of the client as a page loads it: minified, compressed. */
const MAX_GZIP_BYTES = 8000;

t.test('client / bundled for a page → small, and nothing but its own files', async (t) => {
  const { outputFiles, metafile } = await build({
    entryPoints: ['src/client/browser.ts'],
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  const bytes = gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length;
  t.ok(bytes > 1000 && bytes <= MAX_GZIP_BYTES, `${bytes} bytes`);
  const strangers = Object.keys(metafile.inputs).filter(
    (file) => !/^src\/(client\/|protocol\/(codes|version)\.ts$)/.test(file),
  );
  t.strictSame(strangers, []);
});
