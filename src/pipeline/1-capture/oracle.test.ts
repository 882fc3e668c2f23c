/**
 * Real captures against tshark: every frame in which tshark finds IP directly above the link layer is a row, and no
 * other, with the same time, length, addresses of the link and VLAN. Skips where the captures or tshark are absent.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openByteSource } from './byte-source.ts';
import { readRows, type SampleRow } from './capture-samples.ts';
import { readCapture } from './capture-reader.ts';

const data = fileURLToPath(new URL('../../../../shared/data/', import.meta.url));
const skip = !existsSync(data) ? 'the shared captures (../shared/data) are absent'
  : spawnSync('tshark', ['-v']).status !== 0 ? 'tshark is absent' : false;

/** Captures of nDPI that hold something else than plain Ethernet, or are cut or damaged. */
const unusual = `4in4tunnel.pcap BGP_Cisco_hdlc_slarp.pcap BGP_redist.pcap bets.pcapng custom_categories.pcapng
  discord_mid_flow.pcap dlt_ppp.pcap dns.pcap dns2tcp_tunnel.pcap dos_win98_smb_netbeui.pcap false_positives.pcapng
  fuzz-2021-10-13.pcap hls.pcapng hsrp2_ipv6.pcapng http2.pcapng kerberos_fuzz.pcapng nats.pcap netbios.pcap nfsv2.pcap
  openvpn-tlscrypt.pcap openwire.pcapng ossfuzz_seed_fake_traces_1.pcapng ossfuzz_seed_fake_traces_4.pcapng
  quic-v2.pcapng reasm_crash_anon.pcapng rtcp_multiple_pkts_in_the_same_datagram.pcap someip_sd_sample.pcap
  syslog.pcap xiaomi.pcap`.split(/\s+/).map((name) => `l7/captures/${name}`);

function listCaptures(): string[] {
  const metering = readdirSync(`${data}metering/captures`).map((name) => `metering/captures/${name}`);
  const homes = ['captures/fit/schlage-lock-01.pcap', 'captures/hub/2019-04-25_idle.pcap'];
  return [...metering.filter((name) => name.endsWith('.pcap')), ...homes, ...unusual];
}

const fields = ['frame.protocols', 'ip.len', 'ipv6.plen', 'frame.time_epoch', 'eth.dst', 'eth.src', 'vlan.id'];
/** Protocols that may stand between the frame and its first IP header, when both are one link layer. */
const linkProtocols = new Set(['eth', 'ethertype', 'vlan', 'ieee8021ad', 'pppoes', 'ppp', 'chdlc', 'mpls', 'llc', 'sll',
  'null', 'raw', 'ppi', 'pcap_pktdata']);

/** Rows as tshark sees them: its frames whose first protocol that is no link's is IP. */
function askTshark(path: string): { frameCount: number; rows: string[] } {
  const args = ['-n', '-r', path, '-o', 'ip.defragment:FALSE',
    '-T', 'fields', '-E', 'separator=|', '-E', 'occurrence=f'];
  const { stdout } = spawnSync('tshark', [...args, ...fields.flatMap((field) => ['-e', field])],
    { encoding: 'utf8', maxBuffer: 1 << 28 });
  const frames = stdout.split('\n').filter((line) => line !== '').map((line) => line.split('|'));
  const rows: string[] = [];
  for (const [protocols, length4, length6, time, destination, source, vlan] of frames) {
    const first = protocols.split(':').find((name) => !linkProtocols.has(name));
    if (first !== 'ip' && first !== 'ipv6') continue;
    const microseconds = BigInt(time.replace('.', '')) / 1000n;
    const macs = `${destination}${source}`.replaceAll(':', '');
    rows.push(`${microseconds} ${first} ${first === 'ip' ? length4 : length6} ${macs} ${Number(vlan)}`);
  }
  return { frameCount: frames.length, rows };
}

function describeRow({ microseconds, version, packet, macs, vlanId }: SampleRow): string {
  const bytes = Buffer.from(packet, 'hex');
  const length = version === 4 ? bytes.readUInt16BE(2) : bytes.readUInt16BE(4);
  return `${microseconds} ${version === 4 ? 'ip' : 'ipv6'} ${length} ${macs} ${vlanId}`;
}

if (skip !== false) test('captures against tshark', { skip }, () => {});
else for (const name of listCaptures()) {
  test(`as tshark: ${name}`, async () => {
    const source = await openByteSource(`${data}${name}`);
    const reading = readCapture(source);
    const rows = (await readRows(reading)).map(describeRow);
    await source.close();
    const expected = askTshark(`${data}${name}`);
    assert.deepEqual(rows, expected.rows);
    const cutCount = reading.rejected.get('cut-file') + reading.rejected.get('damaged-file');
    assert.equal(reading.frames - cutCount, expected.frameCount);
    assert.equal(reading.frames, reading.rows + reading.rejected.total());
  });
}
