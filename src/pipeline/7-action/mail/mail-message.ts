/**
 * A mail as bytes (RFC 5322, MIME): plain text and HTML, no attachment, signed (RFC 6376) where a key is configured.
 * The same action gives the same Message-ID and boundary, so that two copies are known for one.
 */
import DKIM from 'nodemailer/lib/dkim';
import MailComposer from 'nodemailer/lib/mail-composer';
import type { MailText } from './mail-templates.ts';

export type MailParts = {
  readonly actionId: string;
  readonly from: { readonly name: string; readonly address: string };
  readonly to: { readonly name: string; readonly address: string };
  readonly replyTo: string;
  readonly dateMs: number;
  readonly text: MailText;
};

export type DkimKey = { readonly domain: string; readonly selector: string; readonly privateKey: string };

/** Value of the Message-ID of an action's mail. */
export function messageIdOf(actionId: string, fromAddress: string): string {
  return `<${actionId.slice(0, 40)}@${fromAddress.slice(fromAddress.lastIndexOf('@') + 1)}>`;
}

/** The bytes of a mail; lines end in CRLF. */
export async function composeMail(parts: MailParts, dkim: DkimKey | undefined): Promise<Buffer> {
  const message = await new MailComposer({
    from: { ...parts.from },
    to: { ...parts.to },
    replyTo: parts.replyTo,
    subject: parts.text.subject,
    date: new Date(parts.dateMs),
    messageId: messageIdOf(parts.actionId, parts.from.address),
    // RFC 3834: neither an out-of-office reply nor another program is to answer.
    headers: { 'Auto-Submitted': 'auto-generated', 'Content-Language': parts.text.language },
    text: parts.text.text,
    html: parts.text.html,
    textEncoding: 'quoted-printable',
    baseBoundary: parts.actionId.slice(0, 32),
    newline: 'windows',
    // Nothing of a mail comes from a file or an address, whatever its texts say.
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile().build();
  if (dkim === undefined) return message;
  const signer = new DKIM({ domainName: dkim.domain, keySelector: dkim.selector, privateKey: dkim.privateKey });
  const pieces: Buffer[] = [];
  for await (const piece of signer.sign(message)) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
