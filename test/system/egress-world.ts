/** Who is in the run of the test of what leaves the detector, and what is secret about them. */
import type { HomeExplanation } from '../../src/apps/detector/home-desk.ts';
import type { DetectorStatus } from '../../src/apps/detector/status.ts';

/** Two homes that the config names, of which one has the device, and one that has it and is not named. */
export const homes = {
  found: {
    name: 'haus-am-see-71', customer: 'Ottilie Quandt', mail: 'ottilie.quandt@customers.example',
    address: '198.51.100.71', address6: '2001:db8:71::9',
  },
  silent: {
    name: 'villa-hügel-72', customer: 'Jörg Müßig', mail: 'joerg@silent.example', address: '198.51.100.72',
  },
  /** It goes by its address. */
  unlisted: { name: '198.51.100.73' },
} as const;

/** Whom homes call: addresses, and what tokens say of them. None is an example in code or on a page. */
export const calledAddresses = ['185.199.17.77', '145.97.20.77', '91.208.33.77'] as const;
export const calledPrefixes = ['185.199.17.0', '145.97.20.0', '91.208.33.0'] as const;
export const indicatorAddress = '192.0.2.66';
/** What an operator orders to block. */
export const orderedAddress = '192.0.2.167';
export const exporterAddress = '127.11.13.9';
/** Whose flow records are not taken. */
export const foreignAddress = '127.11.13.8';
export const serverNames = {
  mail: 'mail.provider.test', webhook: 'hooks.provider.test', syslog: 'log.provider.test',
} as const;
export const egressPorts = { udp: 2_055, tcp: 4_739, metrics: 9_464, webhook: 8_080, syslog: 5_140 } as const;
export const credentials = { user: 'detector-login', password: 'zebra-crossing-41' } as const;
export const webhookSecrets = {
  pseudonymous: 'a first secret of more than 24 bytes', named: 'another secret of more than 24 bytes',
} as const;

/** What everybody saw. */
export type EgressResult = {
  /** Of both runs. */
  readonly smtpPorts: readonly number[];
  /** `user:password` that mail servers were given. */
  readonly logins: readonly string[];
  /** Of both runs. */
  readonly exitCodes: readonly number[];
  /** Bytes that servers took, by row of the table. */
  readonly received: Readonly<Record<string, number>>;
  readonly requests: readonly { readonly path: string; readonly body: string }[];
  /** Of syslog. */
  readonly messages: readonly string[];
  /** Names that were asked of the DNS. */
  readonly questions: readonly string[];
  /** Bytes that an exporter got. */
  readonly toldExporter: number;
  readonly before: Readonly<Record<'found' | 'unlisted' | 'silent', HomeExplanation>>;
  readonly beforeForget: HomeExplanation;
  readonly after: HomeExplanation;
  readonly forgotten: unknown;
  readonly seen: { readonly metrics: string; readonly health: string; readonly status: DetectorStatus };
  readonly deviceModel: string;
  readonly mails: readonly { readonly to: readonly string[]; readonly raw: string }[];
};
