/** What the operator decides about actions: the ladder, and one set of options for each kind. Durations are in ms. */
import type { Prefix } from '#base';
import type { Rung } from './action.ts';

export type LadderOptions = {
  /** Asked before anybody is told. */
  readonly verify: {
    readonly isOn: boolean;
    /** Classifiers of second opinion; undefined: none. */
    readonly classifierFolder: string | undefined;
    /** Program and arguments; undefined: none. */
    readonly command: readonly string[] | undefined;
    readonly timeoutMs: number;
    /** What follows when no answer is to be had. */
    readonly onFailure: 'hold' | 'go-on';
  };
  readonly notify: { readonly isOn: boolean; readonly afterMs: number };
  readonly remind: {
    readonly isOn: boolean;
    readonly afterMs: number;
    readonly timesMax: number;
  };
  readonly mitigate: {
    readonly isOn: boolean;
    /** What may lead to it: `indicator`, `operator-order`. */
    readonly reasons: readonly ('indicator' | 'operator-order')[];
  };
  readonly rates: {
    readonly mailsPerHome: number;
    readonly perHomeMs: number;
    readonly actionsOverall: number;
    readonly overallMs: number;
  };
  /** How long a failing action is tried again. */
  readonly giveUpMs: number;
};

export type MailOptions = {
  /** `smtp://host:port`, `smtps://host:port`; user and password come from `credentialsFile`. */
  readonly server: string;
  /** File with `user:password` on one line; undefined: no login. */
  readonly credentialsFile: string | undefined;
  /** Refuses to send without TLS. */
  readonly requireTls: boolean;
  /** Certificates to trust instead of the system's. */
  readonly caFile?: string | undefined;
  readonly from: string;
  readonly replyTo: string | undefined;
  readonly providerName: string;
  readonly helpPhone: string | undefined;
  readonly helpUrl: string | undefined;
  readonly dkim: {
    readonly domain: string; readonly selector: string; readonly keyFile: string;
  } | undefined;
  /** Templates here are used instead of the shipped ones of the same name. */
  readonly templateFolder: string | undefined;
  readonly language: string;
  /** Zone of the times in mails, such as `Europe/Berlin`; undefined: the machine's. */
  readonly timeZone?: string | undefined;
  readonly timeoutMs: number;
};

/** Which rungs a receiver is told of. */
export type WebhookOptions = {
  readonly name: string;
  readonly url: string;
  /** File with the key of the signature, at least 24 bytes. */
  readonly secretFile: string;
  /** Certificates to trust instead of the system's. */
  readonly caFile?: string | undefined;
  readonly rungs: readonly Rung[];
  /** The home's own name instead of its pseudonym: the operator's decision, in the list of what leaves. */
  readonly homeName: boolean;
  readonly timeoutMs: number;
};

export type SyslogOptions = {
  readonly name: string;
  readonly transport: 'udp' | 'tcp' | 'tls';
  readonly address: string;
  readonly port: number;
  readonly caFile: string | undefined;
  /** Number of the facility (RFC 5424 §6.2.1), 0..23. */
  readonly facility: number;
  readonly rungs: readonly Rung[];
  readonly homeName: boolean;
  readonly timeoutMs: number;
};

export type BlockOptions = {
  /** nftables table (family inet) that is natlens's own. */
  readonly table: string;
  readonly durationMs: number;
  /** Blocks at once. */
  readonly blocksMax: number;
  /** Never blocked: emergency services, the provider, makers' update servers. */
  readonly allow: readonly Prefix[];
  /** Program that applies rules; tests and containers name another. */
  readonly nft: string;
};
