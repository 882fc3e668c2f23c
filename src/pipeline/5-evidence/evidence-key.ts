/** Whose evidence: keys of homes and classifiers, their order, and texts that stand for them in maps. */
import type { Evidence } from './evidence.ts';

/** Whose evidence. */
export type EvidenceKey = Pick<Evidence, 'home' | 'deviceModel' | 'classifier'>;

/** Text that names a classifier. */
export function nameKey(deviceModel: string, classifier: string): string {
  return `${deviceModel}\0${classifier}`;
}

export function compareKeys(a: EvidenceKey, b: EvidenceKey): number {
  return compareTexts(a.home, b.home) || compareTexts(a.deviceModel, b.deviceModel) ||
    compareTexts(a.classifier, b.classifier);
}

function compareTexts(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** Text that names a window. */
export function windowKey({ home, deviceModel, classifier }: EvidenceKey, windowEndMs: number): string {
  return `${home}\0${deviceModel}\0${classifier}\0${windowEndMs}`;
}
