/**
 * `npm run build:detector`: writes the detector's one-file bundle, `dist/natlens-detector.mjs`, or says why it is not
 * fit to ship. `-- --out FILE` puts it elsewhere, `-- --source FILE` takes that file's text for the detector's main.
 */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleDetector, rootFolder } from './detector-bundle.ts';

const { values } = parseArgs({
  options: {
    source: { type: 'string' },
    out: { type: 'string', default: join(rootFolder, 'dist', 'natlens-detector.mjs') },
  },
});

try {
  const { bytes, files, packages, embedded } = await bundleDetector(
    values.source === undefined ? {} : { source: readFileSync(values.source, 'utf8') });
  const out = resolve(values.out);
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, bytes);
  chmodSync(out, 0o755);
  process.stdout.write(`${out}: ${bytes.length} bytes, sha256 ${createHash('sha256').update(bytes).digest('hex')}\n` +
    `${files.length} files of our own, ${packages.join(', ')}; embedded: ${embedded.join(', ')}\n`);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
