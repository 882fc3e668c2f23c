/**
 * Every way in which IPFIX tells when a flow began and ended: RFC 7011 §6.1.7-10, RFC 5102 §5.9, IANA 150-162, 21, 22.
 */
import {
  type FieldSpec, ip, join, message10, optionsTemplate10, type Part, set, template, text, u32, u64, u8, uint,
} from '../../../src/pipeline/2-flow/decode/message-samples.ts';
import { startMs } from '../frames.ts';
import { type ExportCaseSpec, type ExpectedRecord, startSeconds } from './case.ts';

/** Seconds of NTP's epoch: 70 years of which 17 had a 29th of February. */
const ntpSeconds = (unixSeconds: number): number => unixSeconds + (70 * 365 + 17) * 86_400;
const ntp = (unixSeconds: number, fraction: number): Part => join(u32(ntpSeconds(unixSeconds)), u32(fraction));

const times = (...fields: readonly FieldSpec[]): Uint8Array => set(2, template(256, [[8, 4], [12, 4], ...fields]));
const ends = join(ip('192.168.1.10'), ip('203.0.113.5'));
const row = (startAfterMs: number, endAfterMs: number): ExpectedRecord =>
  ({ from: '192.168.1.10', to: '203.0.113.5', ms: [startAfterMs, endAfterMs] });

/** A case of one template and one set of its records. */
function timeCase(name: string, fields: readonly FieldSpec[], records: readonly (readonly Part[])[],
  rest: Pick<ExportCaseSpec, 'rows' | 'why'> & Partial<ExportCaseSpec>): ExportCaseSpec {
  return {
    name, port: 4739,
    sent: [{
      bytes: message10({ sequence: 0 }, times(...fields), set(256, ...records.flatMap((parts) => [ends, ...parts]))),
    }],
    counts: { templates: 1 }, domains: [{ version: 10, templates: 1 }], ...rest,
  };
}

/** 990 s and 999 s after the start of an exporter that was up for 1000 s at the export time. */
const bootMs = startMs - 1_000_000;
const uptimes: readonly FieldSpec[] = [[22, 4], [21, 4]];
const uptimeRecord = [u32(990_000), u32(999_000)];

export const timeCases: readonly ExportCaseSpec[] = [
  timeCase('time-seconds', [[150, 4], [151, 4]], [[u32(startSeconds - 60), u32(startSeconds - 1)]], {
    rows: [row(-60_000, -1000)],
    why: [
      'flowStartSeconds and flowEndSeconds: whole seconds.', 'RFC 7011 §6.1.7 (dateTimeSeconds), IANA 150 and 151.',
    ],
  }),
  timeCase('time-milliseconds', [[152, 8], [153, 8]], [[u64(BigInt(startMs - 1234)), u64(BigInt(startMs - 1))]], {
    rows: [row(-1234, -1)],
    why: [
      'flowStartMilliseconds and flowEndMilliseconds: 64 bits, of which more than 32 are used.',
      'RFC 7011 §6.1.8 (dateTimeMilliseconds), IANA 152 and 153.',
    ],
  }),
  timeCase('time-microseconds', [[154, 8], [155, 8]],
    // A quarter and a half; the lowest 11 bits of the fraction hold anything.
    [[ntp(startSeconds - 2, 0x4000_07ff), ntp(startSeconds - 1, 0x8000_0001)]], {
      rows: [row(-2000 + 250, -1000 + 500)],
      why: [
        'flowStartMicroseconds and flowEndMicroseconds are NTP times; the low 11 bits of the fraction do not count.',
        'RFC 7011 §6.1.9 (dateTimeMicroseconds: bottom 11 bits SHOULD be zero and MUST be ignored), IANA 154 and 155.',
      ],
    }),
  timeCase('time-nanoseconds', [[156, 8], [157, 8]],
    // An eighth of a second; an eighth and 2^32 / 10^6 = 4295 units, which are a microsecond.
    [[ntp(startSeconds - 1, 0x2000_0000), ntp(startSeconds - 1, 0x2000_0000 + 4295)]], {
      rows: [row(-1000 + 125, -1000 + 125.001)],
      why: [
        'flowStartNanoseconds and flowEndNanoseconds are NTP times, of which all 32 bits of the fraction count.',
        'RFC 7011 §6.1.10 (dateTimeNanoseconds), IANA 156 and 157; rows show microseconds.',
      ],
    }),
  timeCase('time-ntp-second-era', [[154, 8], [155, 8]],
    // 4,000,000,000 s after 1970 is in 2096: NTP's 32 bits wrapped in February 2036.
    [[
      join(u32(ntpSeconds(4_000_000_000) % 2 ** 32), u32(0x8000_0000)),
      join(u32(ntpSeconds(4_000_000_001) % 2 ** 32), u32(0x8000_0000)),
    ]], {
      rows: [row(4_000_000_000_500 - startMs, 4_000_000_001_500 - startMs)],
      why: [
        'Seconds of NTP without the top bit are of the era that begins in 2036, not of 1900 to 1968.',
        'RFC 7011 §6.1.9 (NTP timestamps of 32 bits of seconds), RFC 5905 §6 (eras).',
      ],
    }),
  timeCase('time-delta-microseconds', [[158, 4], [159, 4]], [[u32(1_500_000), u32(250)]], {
    rows: [row(-1500, -0.25)],
    why: [
      'flowStartDeltaMicroseconds and flowEndDeltaMicroseconds: microseconds before the export time of the header.',
      'RFC 5102 §5.9.9 and §5.9.10 (negative time offset relative to the export time), IANA 158 and 159.',
    ],
  }),
  timeCase('time-duration-milliseconds', [[152, 8], [161, 4]], [[u64(BigInt(startMs - 5000)), u32(3500)]], {
    rows: [row(-5000, -1500)],
    why: ['A start and a duration make the end.', 'IANA 152 flowStartMilliseconds, 161 flowDurationMilliseconds.'],
  }),
  timeCase('time-duration-microseconds', [[153, 8], [162, 4]], [[u64(BigInt(startMs - 1000)), u32(2_000_500)]], {
    rows: [row(-3000.5, -1000)],
    why: ['An end and a duration make the start.', 'IANA 153 flowEndMilliseconds, 162 flowDurationMicroseconds.'],
  }),
  timeCase('time-duration-of-no-bytes', [[152, 8], [161, 65_535]], [
    [u64(BigInt(startMs - 5000)), u8(4), u32(3500)], [u64(BigInt(startMs - 4000)), u8(0)],
    [u64(BigInt(startMs - 3000)), u8(2), uint(750, 2)],
  ], {
    rows: [row(-5000, -1500), row(-4000, -4000), row(-3000, -2250)],
    why: [
      'A duration that one record leaves empty is not that of the record before it: the flow ends as it begins.',
      'RFC 7011 §7 (a variable length may be 0) and §6.2 (2 bytes of a 4-byte integer); IANA 152, 161.',
    ],
  }),
  {
    name: 'time-uptime-from-options',
    port: 4739,
    sent: [{
      bytes: message10({ sequence: 0, domain: 3 },
        set(3, optionsTemplate10(257, 1, [[149, 4], [160, 8]])), set(257, u32(3), u64(BigInt(bootMs))),
        times(...uptimes), set(256, ends, ...uptimeRecord)),
    }],
    rows: [{ ...row(-10_000, -1000), domain: 3 }],
    counts: { templates: 2, optionsRecords: 1 },
    domains: [{ version: 10, domain: 3, templates: 2 }],
    why: [
      'IPFIX has no uptime in its header: options tell when the exporter started, records count from there.',
      'RFC 5102 §5.9.11 to §5.9.13: systemInitTimeMilliseconds (160), flowStartSysUpTime (22), flowEndSysUpTime (21).',
    ],
  },
  {
    name: 'time-uptime-wraps',
    port: 4739,
    sent: [{
      // Up for 2^32 + 1000 ms: the first packet came 256 ms before the wrap, the last 900 ms after it.
      bytes: message10({ sequence: 0 },
        set(3, optionsTemplate10(257, 1, [[149, 4], [160, 8]])),
        set(257, u32(0), u64(BigInt(startMs - 2 ** 32 - 1000))),
        times(...uptimes), set(256, ends, u32(0xffff_ff00), u32(900)),
        set(2, template(258, [[8, 4], [371, 65_535], [12, 4], ...uptimes])),
        set(258, ip('192.168.1.10'), u8(3), text('bob'), ip('203.0.113.5'), u32(0xffff_ff00), u32(900))),
    }],
    rows: [row(-1256, -100), row(-1256, -100)],
    counts: { templates: 3, optionsRecords: 1 },
    domains: [{ version: 10, templates: 3 }],
    why: [
      'Uptimes of 32 bits of an exporter that is up for longer: the instant near the export time is meant.',
      'RFC 5102 §5.9.11 to §5.9.13; in records of fixed and of variable length.',
    ],
  },
  timeCase('time-uptime-from-record', [[160, 8], ...uptimes], [[u64(BigInt(bootMs)), ...uptimeRecord]], {
    rows: [row(-10_000, -1000)],
    why: [
      'The record itself says when the exporter started, its uptimes count from there.',
      'RFC 5102 §5.9.11 (systemInitTimeMilliseconds), IANA 21 and 22.',
    ],
  }),
  timeCase('time-uptime-unplaced', uptimes, [uptimeRecord, [u32(0xffff_ff00), u32(0x100)]], {
    rows: [row(-9000, 0), row(-512, 0)],
    counts: { templates: 1, flowsPlacedAtExport: 2 },
    why: [
      'Uptimes of an exporter that never says when it started: flows end at the export time, with their true duration.',
      'RFC 5102 §5.9.12: without systemInitTimeMilliseconds the instant is not known. Counted as flowsPlacedAtExport.',
    ],
  }),
  timeCase('time-observation', [[323, 8], [161, 4]], [[u64(BigInt(startMs - 700)), u32(300)]], {
    rows: [row(-1000, -700)],
    why: [
      'A record of one instant: observationTimeMilliseconds is its end, the duration makes the start.',
      'IANA 323 observationTimeMilliseconds (RFC 5477 §8.4.3).',
    ],
  }),
  timeCase('time-none', [[1, 8]], [[uint(512n, 8)]], {
    rows: [{ ...row(0, 0), octets: 512 }],
    why: ['A record that tells no time lies at the export time of its message.', 'RFC 7011 §3.1 (Export Time).'],
  }),
];
