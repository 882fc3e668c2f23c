/**
 * Gives the templates of an export message other ids, as an exporter does that restarted (RFC 7011 §8: ids are as the
 * exporter pleases). Reads messages of our own encoder; of others it expects no more than whole sets.
 */
import { assertInvariant } from '#base';

/** RFC 3954 §5.1, RFC 7011 §3.1. */
const headerBytes = { 9: 20, 10: 16 } as const;
/** RFC 3954 §5.2, RFC 7011 §3.3.2. */
const templateSetId = { 9: 0, 10: 2 } as const;
const dataSetIdFirst = 256;
/** RFC 7011 §3.2: the highest bit of an element says that an enterprise number follows. */
const enterpriseBit = 0x8000;

/** Adds to all ids of templates in a message, and of their data sets, in place. */
export function moveTemplateIds(bytes: Uint8Array, version: 9 | 10, by: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at: number = headerBytes[version]; at < bytes.length;) {
    const setId = view.getUint16(at);
    const setBytes = view.getUint16(at + 2);
    assertInvariant(setBytes >= 4 && at + setBytes <= bytes.length, 'a set does not fit its message');
    if (setId === templateSetId[version]) moveTemplates(view, at + 4, at + setBytes, { version, by });
    else if (setId >= dataSetIdFirst) view.setUint16(at, setId + by);
    at += setBytes;
  }
}

function moveTemplates(view: DataView, start: number, end: number,
  { version, by }: { version: 9 | 10; by: number }): void {
  let at = start;
  while (at + 4 <= end && view.getUint16(at) >= dataSetIdFirst) {
    view.setUint16(at, view.getUint16(at) + by);
    let fieldCount = view.getUint16(at + 2);
    at += 4;
    for (; fieldCount > 0; fieldCount--) {
      at += version === 10 && (view.getUint16(at) & enterpriseBit) !== 0 ? 8 : 4;
    }
  }
}
