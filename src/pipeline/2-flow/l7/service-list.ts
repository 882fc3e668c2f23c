/**
 * What a port or an IP protocol is called, from the IANA registries "Service Name and Transport Protocol Port Number"
 * and "Protocol Numbers" and from makers' documentation. A name that nDPI 4.2 has is spelled as nDPI does, so that the
 * sources of names can be compared; the others are marked `own`. Used by `service-table.ts` alone.
 */

export type ServiceDefinition = {
  readonly name: string;
  readonly tcp: readonly number[];
  readonly udp: readonly number[];
  /** IP protocol numbers that are the service whatever the ports. */
  readonly protocols: readonly number[];
  /** True when nDPI 4.2 knows no protocol of this name. */
  readonly own: boolean;
  /** True when it is spoken inside homes only: on a flow that leaves the home the port means something else. */
  readonly local: boolean;
};

type Ports = readonly number[];
type Where = { tcp?: Ports; udp?: Ports; protocols?: Ports; own?: true; local?: true };

const service = (name: string, where: Where): ServiceDefinition => ({
  name,
  tcp: where.tcp ?? [],
  udp: where.udp ?? [],
  protocols: where.protocols ?? [],
  own: where.own ?? false,
  local: where.local ?? false,
});

/** Every service that has a name. A port has at most one name for each transport. */
export const services: readonly ServiceDefinition[] = [
  // IP protocols
  service('ICMP', { protocols: [1] }),
  service('IGMP', { protocols: [2] }),
  service('IP_in_IP', { protocols: [4, 41] }),
  service('EGP', { protocols: [8] }),
  service('GRE', { protocols: [47] }),
  service('IPsec', { protocols: [50, 51], udp: [500, 4500], tcp: [500] }),
  service('ICMPV6', { protocols: [58] }),
  service('OSPF', { protocols: [89] }),
  service('PIM', { protocols: [103], own: true }),
  service('VRRP', { protocols: [112] }),
  service('SCTP', { protocols: [132] }),
  // The home's own network
  service('DNS', { tcp: [53], udp: [53] }),
  service('DHCP', { udp: [67, 68] }),
  service('DHCPV6', { udp: [546, 547] }),
  service('MDNS', { tcp: [5353], udp: [5353] }),
  service('LLMNR', { tcp: [5355], udp: [5355], local: true }),
  service('NetBIOS', { tcp: [137, 139], udp: [137, 138, 139] }),
  service('SSDP', { udp: [1900], local: true }),
  service('WSD', { udp: [3702], local: true }),
  service('NTP', { tcp: [123], udp: [123] }),
  service('Time', { tcp: [37], udp: [37], own: true }),
  service('Daytime', { tcp: [13], udp: [13], own: true }),
  service('Echo', { tcp: [7], udp: [7], own: true }),
  service('Discard', { tcp: [9], udp: [9], own: true }),
  service('NAT-PMP', { udp: [5350, 5351], own: true, local: true }),
  service('SNMP', { udp: [161, 162], tcp: [161, 162] }),
  service('Syslog', { udp: [514], tcp: [514, 601, 6514] }),
  service('TFTP', { udp: [69] }),
  service('BJNP', { udp: [8611, 8612, 8613], local: true }),
  service('UBNTAC2', { udp: [10001], local: true }),
  service('CAPWAP', { udp: [5246, 5247] }),
  service('CWMP', { tcp: [7547], own: true }),
  // Web
  service('HTTP', { tcp: [80, 1400, 8000, 8008, 8060, 8080, 8081, 8088] }),
  service('HTTP_Proxy', { tcp: [3128] }),
  service('TLS', { tcp: [443, 2197, 5223, 5228, 5229, 5230, 8009, 8443, 8886, 9443] }),
  service('QUIC', { udp: [443] }),
  service('DoH_DoT', { tcp: [853], udp: [784, 853, 8853] }),
  // Messages of things
  service('MQTT', { tcp: [1883, 8883] }),
  service('COAP', { tcp: [5683, 5684], udp: [5683, 5684] }),
  service('AMQP', { tcp: [5671, 5672] }),
  service('Jabber', { tcp: [5222, 5269, 5298] }),
  service('Nats', { tcp: [4222] }),
  service('Kafka', { tcp: [9092], own: true }),
  service('NestLogSink', { tcp: [11095] }),
  // Things in homes
  service('TPLINK_SHP', { tcp: [9999], udp: [9999, 20002], own: true, local: true }),
  service('TuyaLP', { tcp: [6668], udp: [6666, 6667, 7000], own: true, local: true }),
  service('MiIO', { udp: [54321], own: true, local: true }),
  service('LIFX', { udp: [56700], own: true, local: true }),
  service('Yeelight', { tcp: [55443], udp: [1982], own: true, local: true }),
  service('WiZ', { udp: [38899, 38900], own: true, local: true }),
  service('KNX', { tcp: [3671], udp: [3671], own: true, local: true }),
  service('BACnet', { udp: [47808], own: true }),
  service('Matter', { udp: [5540], tcp: [5540], own: true, local: true }),
  service('Thread', { udp: [61631, 19788], own: true, local: true }),
  service('AirPlay', { tcp: [7000], own: true, local: true }),
  service('DAAP', { tcp: [3689], own: true, local: true }),
  service('SpotifyConnect', { udp: [57621], own: true, local: true }),
  // Cameras, media
  service('RTSP', { tcp: [554, 8554], udp: [554] }),
  service('RTMP', { tcp: [1935] }),
  service('RTP', { udp: [5004] }),
  service('RTCP', { udp: [5005] }),
  service('PPPP', { udp: [32100, 32108], own: true }),
  service('Hikvision', { udp: [37020], own: true, local: true }),
  service('Dahua', { tcp: [37777], udp: [37778, 37810], own: true }),
  service('XMeye', { tcp: [34567], udp: [34569], own: true }),
  service('STUN', { tcp: [3478, 5349], udp: [3478, 5349, 19302] }),
  service('SIP', { tcp: [5060, 5061], udp: [5060, 5061] }),
  service('H323', { tcp: [1719, 1720], udp: [1719, 1720] }),
  service('MGCP', { udp: [2427, 2727] }),
  service('Megaco', { udp: [2944] }),
  service('IAX', { tcp: [4569], udp: [4569] }),
  // Files, mail, shells
  service('FTP_DATA', { tcp: [20] }),
  service('FTP_CONTROL', { tcp: [21] }),
  service('FTPS', { tcp: [989, 990], own: true }),
  service('SSH', { tcp: [22, 2222] }),
  service('Telnet', { tcp: [23, 2323] }),
  service('SMTP', { tcp: [25] }),
  service('SMTPS', { tcp: [465, 587] }),
  service('POP3', { tcp: [110] }),
  service('POPS', { tcp: [995] }),
  service('IMAP', { tcp: [143] }),
  service('IMAPS', { tcp: [993] }),
  service('NFS', { tcp: [2049], udp: [2049] }),
  service('SMBv23', { tcp: [445] }),
  service('AFP', { tcp: [548], udp: [548] }),
  service('RSYNC', { tcp: [873] }),
  service('Git', { tcp: [9418] }),
  service('Usenet', { tcp: [119, 563] }),
  service('IRC', { tcp: [194, 6665, 6667, 6697], udp: [194] }),
  service('Gopher', { tcp: [70], own: true }),
  service('Finger', { tcp: [79], own: true }),
  service('Whois-DAS', { tcp: [43] }),
  service('IPP', { tcp: [631], udp: [631] }),
  service('LPD', { tcp: [515], own: true }),
  service('JetDirect', { tcp: [9100], own: true, local: true }),
  service('RDP', { tcp: [3389], udp: [3389] }),
  service('VNC', { tcp: [5800, 5900, 5901] }),
  service('TeamViewer', { tcp: [5938], udp: [5938] }),
  service('AnyDesk', { tcp: [6568, 7070] }),
  service('ADB', { tcp: [5555], own: true }),
  // Access and tunnels
  service('OpenVPN', { tcp: [1194], udp: [1194] }),
  service('WireGuard', { udp: [51820] }),
  service('L2TP', { udp: [1701], own: true }),
  service('PPTP', { tcp: [1723] }),
  service('Teredo', { udp: [3544] }),
  service('SOCKS', { tcp: [1080], udp: [1080] }),
  service('TINC', { tcp: [655], udp: [655] }),
  service('ZeroTier', { udp: [9993], own: true }),
  service('Radius', { tcp: [1812, 1813], udp: [1812, 1813] }),
  service('Kerberos', { tcp: [88], udp: [88] }),
  service('LDAP', { tcp: [389], udp: [389] }),
  service('LDAPS', { tcp: [636], own: true }),
  service('TACACS', { tcp: [49], own: true }),
  // Servers, industry, play
  service('DCE_RPC', { tcp: [135] }),
  service('BGP', { tcp: [179] }),
  service('MsSQL-TDS', { tcp: [1433, 1434] }),
  service('MySQL', { tcp: [3306] }),
  service('PostgreSQL', { tcp: [5432] }),
  service('Redis', { tcp: [6379] }),
  service('MongoDB', { tcp: [27017] }),
  service('Memcached', { tcp: [11211], udp: [11211] }),
  service('Elasticsearch', { tcp: [9200], own: true }),
  service('Modbus', { tcp: [502] }),
  service('s7comm', { tcp: [102] }),
  service('DNP3', { tcp: [20000], udp: [20000] }),
  service('EthernetIP', { tcp: [44818], udp: [44818, 2222] }),
  service('IEC60870', { tcp: [2404] }),
  service('OPC_UA', { tcp: [4840], own: true }),
  service('NetFlow', { udp: [2055, 4739, 9995] }),
  service('sFlow', { udp: [6343] }),
  service('Zabbix', { tcp: [10050, 10051] }),
  service('BitTorrent', { tcp: [6881, 51413], udp: [6771, 6881, 51413] }),
  service('Dropbox', { udp: [17500] }),
  service('Xbox', { udp: [3074], tcp: [3074] }),
  service('Steam', { udp: [27036], tcp: [27036] }),
];
