/** Decodes the datagrams of a file over and over with natlens. Arguments: file, rounds. Prints records and a sum. */
import { readFileSync } from 'node:fs';
import { ExportDecoder } from '#flow';

/** In the header of v9 (RFC 3954 §5.1), behind the length that the file has before each datagram. */
const sequenceOffset = 12;

function run(path: string, rounds: number): string {
  const bytes = readFileSync(path);
  let sum = 0;
  let rows = 0;
  const decoder = new ExportDecoder({ duplicateMemoryBytes: 0 }, ({ columns: { initiatorOctets }, rowCount }) => {
    let batchSum = 0;
    for (let i = 0; i < rowCount; i++) batchSum += initiatorOctets[i] as number;
    rows += rowCount;
    sum += batchSum;
  });
  let sequence = 0;
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < bytes.length;) {
      const length = bytes.readUInt32LE(at);
      // As an exporter counts on: numbers that go back in every round are no stream that anybody sends.
      bytes.writeUInt32BE(sequence++ >>> 0, at + 4 + sequenceOffset);
      decoder.decode({ bytes: bytes.subarray(at + 4, at + 4 + length), exporter: [0, 0, 0xffff, 1], receivedMs: 0 });
      at += 4 + length;
    }
  }
  decoder.end();
  return `${rows} ${sum}\n`;
}

process.stdout.write(run(process.argv[2] as string, Number(process.argv[3])));
