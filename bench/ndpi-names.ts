/**
 * nDPI 4.2's names as (service, owner). nDPI's second part is a product of somebody (`AmazonAWS`, `YouTube`); our
 * owners are organisations, so products are put down to whom they belong. Used by comparisons only.
 */

/** Organisation (spelled as in the owner table), then the names by which nDPI calls it or its products. */
const products: Readonly<Record<string, readonly string[]>> = {
  Amazon: ['Amazon', 'AmazonAWS', 'AmazonAlexa', 'AmazonVideo'],
  Google: [
    'Google', 'GoogleServices', 'GoogleMaps', 'GooglePlus', 'GoogleDrive', 'GoogleDocs', 'GoogleHangoutDuo',
    'GoogleClassroom', 'YouTube', 'YouTubeUpload', 'GMail', 'PlayStore', 'Crashlytics', 'Waze', 'DataSaver',
  ],
  Microsoft: [
    'Microsoft', 'Microsoft365', 'Azure', 'MS_OneDrive', 'WindowsUpdate', 'Teams', 'Skype_Teams', 'SkypeCall', 'Xbox',
    'Hotmail',
  ],
  Apple: ['Apple', 'AppleiCloud', 'AppleiTunes', 'AppleStore', 'ApplePush', 'AppleSiri', 'iCloudPrivateRelay'],
  Facebook: ['Facebook', 'FacebookVoip', 'Instagram', 'WhatsApp', 'WhatsAppCall', 'WhatsAppFiles', 'Messenger'],
  Tencent: ['QQ', 'WeChat', 'QQLive'],
  Yahoo: ['Yahoo', 'Tumblr'],
  Salesforce: ['Salesforce', 'Slack'],
  Snapchat: ['Snapchat', 'SnapchatCall'],
  Disney: ['DisneyPlus'],
};

/** Organisations that nDPI calls as we do. */
const sameNames = ['Cloudflare', 'Alibaba', 'Twitter', 'NetFlix', 'Dropbox', 'OpenDNS', 'Github', 'LinkedIn', 'Twitch',
  'TikTok', 'Zoom', 'Webex', 'Telegram', 'Pinterest', 'Hulu', 'Pandora', 'SoundCloud', 'Wikipedia', 'eBay',
  'Playstation', 'Nintendo', 'Steam', 'Spotify', 'TeamViewer'];

/** Products and organisations that are protocols as well: as the first part of a name they are the service. */
const alsoProtocols: ReadonlySet<string> = new Set(
  ['Dropbox', 'Nintendo', 'QQ', 'Spotify', 'Steam', 'TeamViewer', 'Telegram', 'Xbox', 'Zoom']);

const organisations: ReadonlyMap<string, string> = new Map([
  ...sameNames.map((name) => [name, name] as const),
  ...Object.entries(products).flatMap(([organisation, names]) => names.map((name) => [name, organisation] as const)),
]);

/** `TLS.AmazonAWS` → TLS, Amazon; `AmazonAWS` (guessed from an address) → Unknown, Amazon; `Z39.50` is one name. */
export function splitNdpiName(name: string): { readonly service: string; readonly owner: string } {
  const [, first = '', second = ''] = /^(Z39\.50|[^.]*)(?:\.(.*))?$/.exec(name) ?? [];
  const isOwnerAlone = organisations.has(first) && !alsoProtocols.has(first);
  return {
    service: isOwnerAlone ? 'Unknown' : first,
    owner: organisations.get(second) ?? (isOwnerAlone ? organisations.get(first) ?? '' : ''),
  };
}
