/**
 * Decodes the datagrams of a file over and over with node-netflowv9. Arguments: file, rounds. Prints records and a sum.
 */
import { readFileSync } from 'node:fs';
import Collector from 'node-netflowv9';

function run(path, rounds) {
  const bytes = readFileSync(path);
  const collector = Collector({ cb: () => {} });
  const sender = { address: '0.0.0.1', port: 1, family: 'IPv4' };
  let sum = 0;
  let rows = 0;
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < bytes.length;) {
      const length = bytes.readUInt32LE(at);
      const packet = collector.nfPktDecode(bytes.subarray(at + 4, at + 4 + length), sender);
      for (const flow of packet.flows ?? []) {
        if (flow.in_bytes === undefined) continue;
        rows++;
        sum += flow.in_bytes;
      }
      at += 4 + length;
    }
  }
  return `${rows} ${sum}\n`;
}

process.stdout.write(run(process.argv[2], Number(process.argv[3])), () => process.exit(0));
