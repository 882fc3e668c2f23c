/**
 * Made-up parts of an artifact beside the classifier: fingerprints of any size, calibrations. The same seed, the same.
 */
import { Random } from '#base';
import {
  familyParts, formatFingerprintToken, tokenFamilies, weightsPerNat, type Fingerprint, type FingerprintToken,
  type SizeKind, type TokenDescription,
} from '#evidence';
import type { RowLayout } from '#feature';
import { countCodeSetWords, leafFeature, type BoostedTrees } from '#score';
import { activityCount, nullBinCount, upToLast, type Calibration } from '#verdict';

const names = ['MQTT.Amazon', 'TLS.Google', 'DNS', '', 'HTTP.Tuya Smart', 'TLS.Überwachung', 'NTP.pool', '"quoted"'];
/** Protocol and class of port, ICMP among them. */
const services = [[6, 443], [6, 8_883], [17, 53], [17, 123], [6, 65_536], [1, 0x2_0800], [58, 0x3_8000]] as const;

function makeSize(kind: SizeKind, random: Random): number | undefined {
  if (kind === 'none') return undefined;
  return kind === 'quarters' ? random.integer(0, 255) : random.integer(40, 40_000);
}

/** One token of a family, with texts and numbers such as flows show. */
export function makeToken(family: FingerprintToken['family'], random: Random): TokenDescription {
  const [protocol, portClass] = services[random.integer(0, services.length - 1)] ?? services[0];
  const parts = familyParts[family];
  const isIPv6 = protocol === 58 || (protocol !== 1 && random.chance(0.3));
  const prefix = isIPv6 ? [0x2001_0db8, 0x1_0000 + random.integer(0, 0xffff)] as const
    : [random.integer(0, 0x100_0000), 0] as const;
  const initiatorSize = makeSize(parts.initiator, random);
  const responderSize = makeSize(parts.responder, random);
  const token = {
    family, protocol, portClass,
    ...parts.peer === 'prefix' ? { prefix } : { name: names[random.integer(0, names.length - 1)] ?? '' },
    ...initiatorSize === undefined ? {} : { initiatorSize }, ...responderSize === undefined ? {} : { responderSize },
  };
  return { ...token, text: formatFingerprintToken(token) };
}

/** A fingerprint of so many tokens, of all families in turn. */
export function makeFingerprint(count: number, seed = 1): Fingerprint {
  const random = new Random(seed);
  const tokens = new Map<string, FingerprintToken>();
  for (let i = 0; tokens.size < count; i++) {
    // Of the families without sizes there are few; exact octets make up for them.
    const token = makeToken(tokenFamilies[i % (i > 5_000 ? 1 : tokenFamilies.length)] ?? 'prefix', random);
    tokens.set(token.text, {
      ...token, weight: random.integer(1, 4 * weightsPerNat) / weightsPerNat, recall: random.uniform() * 0.98 + 0.02,
      prevalence: (random.integer(0, 30) + 0.5) / 31,
    });
  }
  return { tokens: [...tokens.values()].sort((a, b) => (a.text < b.text ? -1 : 1)), libraryUnits: 30 };
}

/** Two trees of three leaves: a number, then a category, ask who goes where. */
export function makeSecondStage(layout: RowLayout): BoostedTrees {
  const { numericCount, categoryCounts: [codes = 0] } = layout;
  const words = countCodeSetWords(codes);
  const node = { left: [1, 0, 3, 0, 0], feature: [0, leafFeature, numericCount, leafFeature, leafFeature] };
  return {
    layout, base: -0.5, acceptFrom: 0.25, roots: Uint32Array.of(0, 5),
    feature: Uint16Array.from([...node.feature, ...node.feature]),
    threshold: Float32Array.from([0.5, -1, 0, 0.75, -0.25, 0.125, 0.5, 0, -2, 1]),
    missingLeft: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    codeSetAt: Uint32Array.of(0, 0, 0, 0, 0, 0, 0, words, 0, 0),
    codeSets: Uint32Array.from({ length: 2 * words }, (_, i) => (i % words === 0 ? 1 : 0)),
    left: Uint32Array.from([...node.left, ...node.left.map((child) => child === 0 ? 0 : child + 5)]),
  };
}

/** A calibration such as a lab makes: 3,000 home-days in each stratum, most of them of low scores. */
export function makeCalibration(deviceModel: string, seed = 1): Calibration {
  const random = new Random(seed);
  const homeDays = Array.from({ length: activityCount }, () => {
    const bins = new Array<number>(nullBinCount).fill(0);
    for (let day = 0; day < 3_000; day++) {
      const bin = Math.min(nullBinCount - 1, Math.floor(20 * -Math.log(1 - random.uniform())));
      bins[bin] = (bins[bin] as number) + 1;
    }
    return upToLast(bins);
  });
  return {
    windowMs: 3_600_000, bucketMs: 60_000, nullTable: { homeDays }, ownFloor: 12.5,
    group: ['plug.Other.Two', deviceModel].sort(),
    expiresMs: 1_700_000_000_000,
    card: {
      sources: ['lab', 'simulator'], promisedFpr: 0.0001, measuredFpr: 1 / 3_000, fprUpper95: 0.00158,
      testHomeDays: 3_000, nullUnits: 24,
      detection: [10, 60, 360, 1_440].map((minutes, i) => ({ minutes, rate: 0.9 + i / 40, homes: 40 })),
      confusers: [{ deviceModel: 'plug.Other.Two', rate: 0.4 }, { deviceModel: 'plug.Other.Three', rate: 0.12 }],
    },
  };
}
