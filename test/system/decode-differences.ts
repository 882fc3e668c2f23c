/** Where natlens differs on purpose from another collector's reading of a shared case, and what decides it. */

export type DecodeDifference = {
  /** `set/case` below the shared `netflow` folder. */
  readonly case: string;
  /** Who reads it otherwise; the set's own collector unless it says so. */
  readonly reader?: 'tshark';
  /** Names as the other collector prints them. */
  readonly fields: readonly string[];
  readonly difference: string;
  readonly decidedBy: string;
};

export const differences: readonly DecodeDifference[] = [
  {
    case: 'logstash', fields: ['first_switched', 'last_switched'],
    difference: 'Logstash places uptimes one second after the time that header and uptime give',
    decidedBy: 'RFC 3954 §5.1: sysUptime and UNIX Secs of the header are the same instant',
  },
  {
    case: 'logstash/netflow-5-valid-01', fields: ['first_switched'],
    difference: 'an uptime of 2^32 - 1 lies just before the wrap, not 49 days after the export',
    decidedBy: 'RFC 3954 §5.1: sysUptime is 32 bits of milliseconds, so it wraps',
  },
  {
    case: 'logstash/netflow-9-streamcore', fields: ['first_switched', 'last_switched'],
    difference: 'where the fraction comes out negative, Logstash prints .999 of the second',
    decidedBy: 'RFC 3954 §5.1: sysUptime is in milliseconds',
  },
  {
    case: 'logstash/netflow-9-nprobe-dpi-l7', fields: ['nprobe_proto_name'],
    difference: 'a text that is no UTF-8 is shown with replacement characters, not as Latin-1',
    decidedBy: 'RFC 7011 §6.1.6: strings are UTF-8',
  },
  {
    case: 'telegraf/netflow_v9_options', fields: ['in_bytes'],
    difference: 'scope 1 is the system, not octets',
    decidedBy: 'RFC 3954 §6.1: scope field types have numbers of their own',
  },
  {
    case: 'logstash/netflow-5-invalid-01', reader: 'tshark', fields: ['*'],
    difference: 'a count of 55582 records: Logstash and natlens believe nothing of it, tshark reads 30 records',
    decidedBy: 'Cisco, NetFlow v5 header: count is 1 to 30',
  },
  {
    case: 'logstash/netflow-5-invalid-02', reader: 'tshark', fields: ['*'],
    difference: 'a count of 163 records: Logstash and natlens believe nothing of it, tshark reads 30 records',
    decidedBy: 'Cisco, NetFlow v5 header: count is 1 to 30',
  },
  {
    case: 'logstash/ipfix', reader: 'tshark', fields: ['cflow.timestart', 'cflow.timeend'],
    difference: 'tshark shows no start that is zero',
    decidedBy: 'RFC 5102 §5.9.12: 0 is the instant at which the device was started',
  },
  {
    case: 'logstash/netflow-9-h3c', reader: 'tshark', fields: ['*'],
    difference: 'tshark stops at a field of 2 bytes that should be an IPv4 address; the records after it are read too',
    decidedBy: 'RFC 3954 §5.2: the template says how long a field is',
  },
];

/** Logstash places uptimes a second late: it takes the fraction of a second off without the borrow. */
export const logstashUptimeSlipMs = 1000;
