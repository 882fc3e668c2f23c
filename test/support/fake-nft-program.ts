/**
 * The `nft` of `fake-nft.ts` as a program, for detectors in processes of their own: its first argument is the file in
 * which it keeps its state between calls.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { FakeNft } from './fake-nft.ts';

const [file = '', ...args] = process.argv.slice(2);
const nft = new FakeNft(existsSync(file) ? readFileSync(file, 'utf8') : undefined);
const end = await nft.run({
  program: 'nft', args, environment: {}, input: args.includes('-f') ? readFileSync(0, 'utf8') : '', timeoutMs: 0,
  outputBytesMax: 0,
});
if (end.end === 'exited') {
  writeFileSync(file, nft.save());
  process.stdout.write(end.stdout);
  process.stderr.write(end.stderr);
  process.exitCode = end.code;
}
