/** IPFIX files (RFC 5655 §6): IPFIX messages one after the other, templates in the first one, nothing between. */
import { encoderDefaults } from '../encode/flow-encoder.ts';
import { ExportSink, type MessageFraming } from './export-sink.ts';
import type { OutputTarget } from './output-target.ts';

/** A file loses no message, so that large ones cost nothing; some readers take no more than this. */
const messageBytes = 16_384;

const framing: MessageFraming = { fileHeader: new Uint8Array(0), headerBytes: 0, putHeader: () => undefined };

/** A sink for an IPFIX file. Takes over the target. @param messageBytesMax  for tests */
export function createIpfixSink(target: OutputTarget, messageBytesMax: number = messageBytes): ExportSink {
  return new ExportSink(target, framing, {
    ...encoderDefaults, version: 10, datagramBytesMax: messageBytesMax,
    templateEveryDatagrams: Infinity, templateEveryMs: Infinity,
  });
}
